"""Errors against ground truth, motion quality, benchmark protocols, ablation."""
