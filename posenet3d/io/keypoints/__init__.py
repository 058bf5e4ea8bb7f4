"""Files of 2D keypoints: `read` reads any of them, `formats` lists the formats, one module per format."""
