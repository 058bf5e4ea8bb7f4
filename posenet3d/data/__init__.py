"""Readers (one file per format), benchmark sets, synthetic motion and training windows."""
