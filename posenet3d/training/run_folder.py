"""The run folder's config.json: what was trained, how, and on which data."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from posenet3d import __version__
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.lifting.checkpoint import read_config
from posenet3d.training.clips import Clips


def describe_clips(clips: Clips) -> dict[str, Any]:
    """What `open_run` notes of 2D clips."""
    digest = hashlib.sha256(clips.rays.numpy().tobytes()).hexdigest()
    return {"clips": len(clips.bounds), "training_frames": len(clips.rays), "sha256": digest}


def open_run(out: Path, stage: str, data: dict[str, Any], content: dict[str, Any], *, resume: bool) -> None:
    """Make the folder and write its config; a run that is resumed must have been trained on the same data (``sha256``).

    Raises:
        InputError: the run in `out` was trained on other data, or the folder cannot be written.
    """
    if resume and read_config(out).get("data", {}).get("sha256", data["sha256"]) != data["sha256"]:
        raise InputError(out, "was trained on other data", "give the same --data, or start a new run with --init")
    config = {
        "stage": stage,
        "version": __version__,
        **content,
        "data": data,
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    try:
        (out / "state").mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(out, "cannot be made a run folder", "choose another --out") from error
    with atomic_write(out / "config.json") as file:
        file.write(json.dumps(config, indent=2).encode())
