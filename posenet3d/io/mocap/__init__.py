"""Motion-capture files in 3D: each module reads one format into a `take.Take`."""
