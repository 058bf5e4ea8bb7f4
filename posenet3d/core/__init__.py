"""Joints, cameras, 2D sequences and lifted results, and their geometry. No files, no networks."""
