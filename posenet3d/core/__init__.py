"""The nouns and their geometry: joints, cameras, sequences, lifted results. No files, no networks."""
