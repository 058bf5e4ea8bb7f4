"""Results in other programs' formats; one file per format."""
