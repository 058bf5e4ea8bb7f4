"""Scores, calibration and ablation of the 2D networks."""
