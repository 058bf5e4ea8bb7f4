"""Detections on disk, in the user's cache folder; the oldest entries are deleted beyond `MAX_BYTES`."""

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any

import platformdirs

from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write

MAX_BYTES = 500_000_000
SUFFIX = ".json.gz"


def folder() -> Path:
    """Return the folder: below ``POSENET3D_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("POSENET3D_CACHE") or platformdirs.user_cache_path("posenet3d")) / "detections"


def read(key: str) -> Any:
    """Read the entry of a key and mark it as the latest one; None if there is none, or it is damaged."""
    file = folder() / (key + SUFFIX)
    try:
        content = json.loads(gzip.decompress(file.read_bytes()))
        file.touch()
    except (OSError, EOFError, zlib.error, ValueError):
        return None
    return content


def write(key: str, content: Any) -> None:
    """Write an entry (JSON), whole or not at all; a folder that cannot be written is ignored, the next run detects again."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with atomic_write(folder() / (key + SUFFIX)) as file:
            file.write(gzip.compress(json.dumps(content).encode(), mtime=0))
        _delete_oldest()
    except (OSError, InputError):
        return


def _delete_oldest() -> None:
    files = [(file.stat().st_mtime, file.stat().st_size, file) for file in folder().glob("*" + SUFFIX)]
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files)[:-1]:  # never the one just written
        if total <= MAX_BYTES:
            return
        file.unlink(missing_ok=True)
        total -= size
