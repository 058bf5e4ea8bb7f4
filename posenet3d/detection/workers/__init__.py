"""Detectors run as processes of their own; `serve` is the protocol they share."""
