"""Recognise files that hold no 2D joints, and say which command reads them, or that none does."""

from pathlib import Path

from posenet3d.errors import InputError
from posenet3d.io.checked_npz import check_npz
from posenet3d.io.keypoints.keypoint_format import KeypointFile
from posenet3d.io.video import folder_of_videos_error, videos_in

_CONVERT = "'posenet3d data convert' reads it, and 'posenet3d data project' makes 2D joints of it"
_AS_BVH = "no command reads it: export BVH or TRC, for 'posenet3d data convert'"

MOTION_FILES = {
    ".bvh": ("is motion in 3D, not 2D joints", _CONVERT),
    ".trc": ("is motion in 3D, not 2D joints", _CONVERT),
    ".amc": ("is motion in 3D, not 2D joints", _CONVERT),
    ".asf": ("is a skeleton without motion", "give its .amc file to 'posenet3d data convert'"),
    ".c3d": ("is motion of markers in 3D, not 2D joints", _AS_BVH),
    ".fbx": ("is motion in 3D, not 2D joints", _AS_BVH),
    ".pkl": ("is a pickle, not 2D joints", "'posenet3d data convert' reads those of 3DPW and AIST++"),
    ".mat": ("is a part of a data set", "give the folder of MPI-INF-3DHP to 'posenet3d data convert'"),
    ".pt": ("holds tensors of PyTorch, not 2D joints", "no command reads it: save its numbers with numpy.savez"),
}
"""Suffixes of files without 2D joints: the problem, and the remedy."""

_NPZ_FIELDS = {
    ("joints_3d",): "it is a lifted clip: 'posenet3d export' and 'posenet3d evaluate' read it",
    ("poses", "trans"): _CONVERT,
    ("global_orient", "body_pose"): _CONVERT,
    ("root_orient", "pose_body"): _CONVERT,
    ("results",): _CONVERT,
    ("reconstruction",): "no command reads it: give the 2D joints that it was computed from",
    ("joints_3d_world",): "'posenet3d data project' makes 2D joints of it",
}
"""Arrays of npz files without 2D joints, and the command that reads them."""

_TABLES = {
    "format version,": "is a table of OptiTrack's Motive",
    "trajectories": "is a table of Vicon Nexus",
    "model outputs": "is a table of Vicon Nexus",
    "joints": "is a table of Vicon Nexus",
}
"""How tables of 3D motion begin."""


def explain_other_file(file: KeypointFile) -> InputError | None:
    """Return the error for a file or folder that holds something else than 2D joints; None if it may hold some."""
    path, suffix = file.path, file.suffix
    if path.is_dir():
        return _explain_folder(path)
    if not path.is_file():
        return None
    if suffix in MOTION_FILES:
        return InputError(path, *MOTION_FILES[suffix])
    if suffix == ".npz":
        found = set(check_npz(path))
        for fields, remedy in _NPZ_FIELDS.items():
            if found >= set(fields) and found.isdisjoint(("keypoints_2d", "positions_2d")):
                return InputError(path, "is motion in 3D, not 2D joints", remedy)
    if suffix in (".csv", ".tsv", ".txt"):
        with path.open("rb") as content:
            start = content.read(100).decode("utf-8-sig", errors="replace").lower().replace('"', "")
        for beginning, problem in _TABLES.items():
            if start.startswith(beginning) and (beginning.endswith(",") or start[len(beginning) :][:1] in "\r\n,"):
                return InputError(path, f"{problem}, not of 2D joints", _AS_BVH)
    return None


def _explain_folder(path: Path) -> InputError | None:
    """Return the error for a folder of videos or of motion in 3D; None if it holds anything else."""
    files = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
    suffixes = {file.suffix.lower() for file in files}
    if suffixes & {".json", ".txt", ".csv", ".zip"} or not files:
        return None
    if videos := videos_in(path):
        return folder_of_videos_error(path, videos)
    motion = next((file for file in files if file.suffix.lower() in MOTION_FILES), None)
    if motion is None:
        return None
    problem, remedy = MOTION_FILES[motion.suffix.lower()]
    return InputError(path, f"holds {motion.suffix.lower()} files: each {problem}", remedy)
