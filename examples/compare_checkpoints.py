"""Compare checkpoints on clips with ground truth: ``python compare_checkpoints.py data.npz teacher joint runs/mine``."""

import sys

import posenet3d as p3

clips = p3.read(sys.argv[1])
print(f"{'checkpoint':20} {'PA-MPJPE mm':>12} {'acceleration error mm/frame²':>30}")
for checkpoint in sys.argv[2:]:
    results = p3.lift(clips, checkpoint=checkpoint)
    scores = p3.evaluate(results, clips).overall
    print(f"{checkpoint:20} {scores['pa_mpjpe']:12.1f} {scores['acceleration_error']:30.2f}")
