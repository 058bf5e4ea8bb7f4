"""Files of 2D keypoints; `read` chooses the reader, one file per format."""
