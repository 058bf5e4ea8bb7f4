"""The built-in 2D estimator: person detector, pose network and refiner, their training and evaluation."""
