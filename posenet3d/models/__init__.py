"""Networks; the settings of each stand above it."""
