"""From a video to its people in 2D: detectors behind one interface, typed detections, fixed left and right, a cache."""
