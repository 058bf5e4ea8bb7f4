"""Load the 2D networks of a run folder or of the bundled checkpoint.

A refiner's run is complete: it also holds the student that it refines. It is the one that is bundled.
"""

from pathlib import Path
from typing import TypeVar

from posenet3d.config import from_dict
from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.checkpoint import load_weights
from posenet3d.pose2d.person_detector import PersonDetector, PersonDetectorConfig
from posenet3d.pose2d.pose_network import EstimatorConfig, PoseNetwork
from posenet3d.pose2d.refiner import Refiner, RefinerConfig

Config = TypeVar("Config")

STAGE = "pose2d"
"""The first word of `stage` in the config.json of a 2D network's run."""

PERSON_DETECTOR_FOLDERS = ("person_detector", "finder")
"""Folder of the person detector beside the one of the estimator: its name, and the name that earlier versions wrote."""


def load_estimator(run: Path) -> PoseNetwork:
    """Load the pose network of a run, in evaluation mode on the CPU.

    Raises:
        InputError: the folder holds none, or it is damaged.
    """
    network = PoseNetwork(_read_config(run, "model", EstimatorConfig))
    load_weights(network, run)
    return network.eval()


def load_person_detector(run: Path) -> PersonDetector:
    """Load the person detector of a run, in evaluation mode on the CPU.

    Raises:
        InputError: the folder holds none, or it is damaged.
    """
    network = PersonDetector(_read_config(run, "model", PersonDetectorConfig))
    load_weights(network, run)
    return network.eval()


def load_refiner(run: Path) -> Refiner | None:
    """Load the refiner of a run, in evaluation mode on the CPU; None if the run has none.

    Raises:
        InputError: it is damaged.
    """
    if not (run / "refiner.safetensors").is_file():
        return None
    refiner = Refiner(_read_config(run, "refiner", RefinerConfig))
    load_weights(refiner, run, "refiner.safetensors")
    return refiner.eval()


def person_detector_folder(folder: Path) -> Path:
    """Return the folder of the person detector inside a folder of 2D networks; see `PERSON_DETECTOR_FOLDERS`."""
    folders = [folder / name for name in PERSON_DETECTOR_FOLDERS]
    return next((path for path in folders if path.is_dir()), folders[0])


def _read_config(run: Path, key: str, kind: type[Config]) -> Config:
    config = RunConfig.read(run)
    if not str(config.stage).startswith(STAGE):
        raise InputError(run, "is no run of a 2D network", "give a run folder of 'posenet3d pose2d train'")
    try:
        return from_dict(kind, dict(getattr(config, key)))
    except (TypeError, ValueError) as error:
        raise InputError(run / "config.json", f"field '{key}' describes no network ({error})", "train again") from error
