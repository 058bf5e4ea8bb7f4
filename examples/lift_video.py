"""Lift everybody in a video and write one glTF file per person: ``python lift_video.py walk.mp4``."""

import sys
from pathlib import Path

import posenet3d as p3

video = Path(sys.argv[1])
people = p3.read(video, progress=lambda share: print(f"\rdetecting {share:4.0%}", end="", flush=True))
print()
for person in people:
    result = p3.lift(person, model="student")
    out = video.with_name(f"{person.name}.glb")
    p3.export(result, out)
    print(f"{out}: {len(result)} frames at {result.fps:g} per second")
