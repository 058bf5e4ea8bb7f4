"""File input and output: videos, 2D keypoints, data sets, motion capture, validated containers, atomic writing."""
