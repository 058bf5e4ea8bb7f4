"""Data sets of the field; `read` recognises them, one file per data set."""
