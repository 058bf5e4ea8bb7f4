"""Train a teacher on your own 2D joints, then lift with it: ``python train_on_your_2d.py keypoints.json runs/mine 300``.

A few hundred steps show that it runs; `make teacher` has the full schedule (about 40 minutes on two cores).
"""

import sys
from pathlib import Path

import posenet3d as p3
from posenet3d.training.lifter import TeacherTraining
from posenet3d.training.teacher import train_teacher

source, out, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
people = p3.read(source)
settings = TeacherTraining(denoiser_steps=steps, frame_steps=steps, temporal_steps=steps)
train_teacher(people, settings, out)
result = p3.lift(people[0], checkpoint=out)
print(f"trained on {sum(map(len, people))} frames; lifted {result.joints_3d.shape}")
