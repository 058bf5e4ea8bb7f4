"""Bundle a run: its weights in half precision, its config and its log, as a checkpoint that ships with the library.

    python tools/bundle_checkpoint.py runs/teacher teacher
    python tools/bundle_checkpoint.py runs/refiner pose2d/estimator

Half precision halves the file and moves joints by about 0.1 mm (tests/test_inference.py bounds it).
"""

import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save

from posenet3d.io.atomic import atomic_write
from posenet3d.paths import BUNDLED


def bundle(run: Path, name: str) -> Path:
    """Write the run's checkpoint to the library's folder and return it; the model card (README.md) is written by hand."""
    folder = BUNDLED / name
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(run.glob("*.safetensors")):
        halves = {k: v.half() if v.is_floating_point() else v for k, v in load_file(source).items()}
        with atomic_write(folder / source.name) as file:
            file.write(save(halves))
    for source in (run / "config.json", run / "metrics.jsonl", run / "calibration.json"):
        if source.is_file():
            shutil.copyfile(source, folder / source.name)
    return folder


if __name__ == "__main__":
    sys.stdout.write(f"{bundle(Path(sys.argv[1]), sys.argv[2])}\n")
