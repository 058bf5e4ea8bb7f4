"""Public data sets: `read` reads any of them, `formats` lists them, one module per data set."""
