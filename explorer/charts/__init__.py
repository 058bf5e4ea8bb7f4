"""Plotly figures: pure functions from numbers to a figure."""
