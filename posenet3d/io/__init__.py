"""Everything that knows a file: videos, keypoints, data sets, motion capture, checked containers, atomic writing."""
