"""Networks, each with its settings in the same file."""
