"""Training of the 2D networks: pose estimator, refiner and person detector."""
