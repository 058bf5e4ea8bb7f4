"""Annotated pictures, crops, augmentation and rendered people to train the 2D networks on."""
