"""Published methods, trained on the same data for comparison."""
