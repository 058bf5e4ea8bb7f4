"""Losses: pure functions that return one value per pose or window."""
