"""Video to 2D people: detectors behind one interface, left and right put back, results cached."""
