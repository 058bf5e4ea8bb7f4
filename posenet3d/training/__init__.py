"""Training: a small loop, and one readable file per stage."""
