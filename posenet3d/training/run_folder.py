"""The run folder of a training run: make it, and write its config.json."""

import hashlib
import time
from pathlib import Path
from typing import Any

from posenet3d import __version__
from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.training.clips import Clips


def describe_clips(clips: Clips) -> dict[str, Any]:
    """Return number and digest of 2D clips, as `open_run` stores them."""
    digest = hashlib.sha256(clips.rays.numpy().tobytes()).hexdigest()
    return {"clips": len(clips.bounds), "training_frames": len(clips.rays), "sha256": digest}


def open_run(out: Path, stage: str, data: dict[str, Any], content: dict[str, Any], *, resume: bool) -> None:
    """Make the folder and write its config; a run to be resumed must have been trained on the same data (``sha256``).

    Args:
        out: the run folder.
        stage: see `RunConfig`.
        data: number and digest of the training data.
        content: further fields of `RunConfig`.
        resume: whether `out` holds a run that goes on.

    Raises:
        InputError: the run in `out` was trained on other data, or the folder cannot be written.
    """
    if resume and (RunConfig.read(out).data or {}).get("sha256", data["sha256"]) != data["sha256"]:
        raise InputError(out, "was trained on other data", "give the same --data, or start a new run with --init")
    config = RunConfig(
        stage=stage, version=__version__, data=data, started=time.strftime("%Y-%m-%d %H:%M:%S"), **content
    )
    try:
        (out / "state").mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(out, "cannot be made a run folder", "choose another --out") from error
    config.write(out)
