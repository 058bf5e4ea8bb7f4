"""Synthetic motion and observations: stick figure, virtual cameras, detector noise."""
