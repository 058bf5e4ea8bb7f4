"""Training stages of the 2D networks."""
