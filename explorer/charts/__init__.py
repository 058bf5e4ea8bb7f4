"""Plotly figures as pure functions of numbers."""
