"""The explorer with a stand-in for the network, so that its tests need no checkpoint: lifts every joint to one depth.

Its student has a body that waves.

Imported by test_explorer.py; run by Streamlit itself in test_browser.py.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from explorer import cache
from posenet3d.body.files import default_arrays
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.camera import to_rays
from posenet3d.core.lifted import Lifted

DEPTH_M = 4.0
LONG = 500  # frames


class StubLifter:
    def __init__(self, model="teacher"):
        self.model = model

    def __call__(self, sequences, *, height_m=1.7, refine=False, fit=True, progress=None):
        results = [Lifted(s.name, flat(s), fps=s.fps, model=self.model, checkpoint="stub") for s in sequences]
        if self.model == "student":
            results = [replace(result, body=waving(result.joints_3d)) for result in results]
        for step in range(200 if max(len(s) for s in sequences) > LONG else 1):
            if progress is not None:
                progress(step / 200)
                time.sleep(0.05 if step else 0)  # as slow as a network on a clip that long
        return results


def waving(joints_3d):
    """A body upright at the pelvis of `joints_3d`, waving with both arms."""
    frames = len(joints_3d)
    pose = np.zeros((frames, 69), np.float32)
    pose[:, 3 * 15 + 2] = np.sin(np.arange(frames) / 5)  # SMPL's joints 16 and 17, the shoulders
    pose[:, 3 * 16 + 2] = -np.sin(np.arange(frames) / 5)
    orient = np.tile(np.float32([np.pi, 0.0, 0.0]), (frames, 1))
    orient[np.isnan(joints_3d[:, 0, 0])] = np.nan
    return BodyParameters(default_arrays().name, np.zeros((1, 10), np.float32), orient, pose, joints_3d[:, 0])


def flat(sequence):
    """The input's joints on a plane, unseen ones at the middle of the seen; NaN where nobody was seen."""
    rays = to_rays(sequence.keypoints_px, sequence.intrinsics())
    middle = np.array(
        [r[s].mean(0) if s.any() else [np.nan] * 2 for r, s in zip(rays, sequence.is_observed, strict=True)]
    )
    rays = np.where(np.isfinite(rays), rays, middle[:, None])
    return (DEPTH_M * np.concatenate([rays, np.ones_like(rays[..., :1])], -1)).astype(np.float32)


def stub_checkpoints(folder: Path) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    for file in (folder / "model.safetensors", folder / "student.safetensors"):
        if not file.exists():  # its time stamp says whether a result is stale
            file.write_bytes(b"")
    (folder / "README.md").write_text("# Stub\n\nThe model card of the stub.")
    return {"stub": folder}


if __name__ == "__main__":
    from explorer.app import main

    cache.list_checkpoints = lambda: stub_checkpoints(Path(tempfile.gettempdir()) / "posenet3d_stub")
    cache.Lifter.load = classmethod(lambda cls, folder, model: StubLifter(model))
    main()
