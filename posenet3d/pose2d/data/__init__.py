"""Training data of the 2D networks: annotated photographs, crops, augmentation, mosaics and rendered people."""
