"""The explorer with a stand-in for the network, so that its tests need no checkpoint: lifts every joint to one depth.

Imported by test_explorer.py; run by Streamlit itself in test_browser.py.
"""

import tempfile
from pathlib import Path

import numpy as np

from explorer import resources
from posenet3d.lifted import Lifted

DEPTH_M = 4.0


class StubLifter:
    def __call__(self, sequences, *, height_m=1.7, is_refined=False, is_fitted=True, progress=None):
        results = [Lifted(s.name, flat(s), fps=s.fps, checkpoint="stub") for s in sequences]
        if progress is not None:
            progress(1.0)
        return results


def flat(sequence):
    """The input's joints on a plane, unseen ones at the middle of the seen; NaN where nobody was seen."""
    K = sequence.intrinsics()
    rays = (sequence.keypoints_px - K[:2, 2]) / np.diag(K)[:2]
    middle = np.array(
        [r[s].mean(0) if s.any() else [np.nan] * 2 for r, s in zip(rays, sequence.is_observed, strict=True)]
    )
    rays = np.where(np.isfinite(rays), rays, middle[:, None])
    return (DEPTH_M * np.concatenate([rays, np.ones_like(rays[..., :1])], -1)).astype(np.float32)


def stub_checkpoints(folder: Path) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    if not (folder / "model.safetensors").exists():  # its time stamp says whether a result is stale
        (folder / "model.safetensors").write_bytes(b"")
    (folder / "README.md").write_text("# Stub\n\nThe model card of the stub.")
    return {"stub": folder}


if __name__ == "__main__":
    from explorer.app import main

    resources.list_checkpoints = lambda: stub_checkpoints(Path(tempfile.gettempdir()) / "posenet3d_stub")
    resources.Lifter.load = classmethod(lambda cls, folder, model: StubLifter())
    main()
