"""Motion-capture files in 3D; `take` is what they become, one file per format."""
