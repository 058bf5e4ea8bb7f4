"""2D to 3D: networks run over whole clips, bodies fitted to the 2D, checkpoints loaded."""
