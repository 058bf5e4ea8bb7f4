"""Published results to print next to ours, with their supervision, input, alignment and source.

Results are comparable only where these agree: 2D joints of the ground truth or of a detector; Procrustes alignment with or
without reflection; supervision besides 2D. "as listed" marks numbers of a public leaderboard, where the paper's own table
was not available.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A row of a published table, with numbers by the column names of `posenet3d.evaluation.protocols`."""

    method: str
    supervision: str
    input_2d: str  # 'GT', or the name of the detector
    numbers: Mapping[str, float]
    source: str
    allows_reflection: bool | None = False  # None: not known


_UNSUPERVISED, _WEAK, _VIEWS, _FULL = "2D only", "2D + unpaired 3D", "several views", "3D"
_LISTED = "as listed by paperswithcode"
_YU = "README of github.com/sydney0zq/3DHumanPose (Yu et al., ICCV 2021)"
_TABLE = "table in a later paper"
_MMPOSE = "mmpose model zoo"

PUBLISHED: dict[str, tuple[Published, ...]] = {
    "h36m-p1": (
        Published("VideoPose3D, 243 frames (Pavllo et al., CVPR 2019)", _FULL, "CPN", {"MPJPE": 46.8}, "paper"),
        Published("VideoPose3D, 243 frames (Pavllo et al., CVPR 2019)", _FULL, "GT", {"MPJPE": 37.2}, "paper"),
        Published("SimpleBaseline3D (Martinez et al., ICCV 2017)", _FULL, "GT", {"MPJPE": 43.4}, _MMPOSE),
    ),
    "h36m-p2": (
        Published("PoseNet3D (Tripathi et al., 3DV 2020)", _UNSUPERVISED, "GT", {"PA-MPJPE": 47.0}, _LISTED, None),
        Published("PoseNet3D (Tripathi et al., 3DV 2020)", _UNSUPERVISED, "detected", {"PA-MPJPE": 59.4}, _LISTED, None),
        Published("Chen et al., CVPR 2019", _UNSUPERVISED, "detected", {"PA-MPJPE": 68.0}, _TABLE, None),
        Published("Drover et al., ECCVW 2018", _WEAK, "detected", {"PA-MPJPE": 64.6}, _TABLE, None),
        Published("RepNet (Wandt and Rosenhahn, CVPR 2019)", _WEAK, "detected", {"PA-MPJPE": 65.1}, _TABLE, None),
        Published("EpipolarPose (Kocabas et al., CVPR 2019)", _VIEWS, "detected", {"PA-MPJPE": 67.5}, _TABLE, None),
        Published("Chen et al., made again by Yu et al.", _UNSUPERVISED, "GT", {"PA-MPJPE": 46.0}, _YU),
        Published("Chen et al., made again by Yu et al.", _UNSUPERVISED, "detected", {"PA-MPJPE": 54.9}, _YU),
        Published("Yu et al., ICCV 2021", _UNSUPERVISED, "GT", {"PA-MPJPE": 42.0}, _YU),
        Published("Yu et al., ICCV 2021", _UNSUPERVISED, "detected", {"PA-MPJPE": 52.3}, _YU),
        Published("ElePose (Wandt et al., CVPR 2022)", _UNSUPERVISED, "GT", {"PA-MPJPE": 36.7}, _LISTED, True),
        Published("ElePose (Wandt et al., CVPR 2022)", _UNSUPERVISED, "detected", {"PA-MPJPE": 50.2}, _LISTED, True),
        Published("SimpleBaseline3D (Martinez et al., ICCV 2017)", _FULL, "GT", {"PA-MPJPE": 34.3}, _MMPOSE),
        Published("VideoPose3D, 243 frames (Pavllo et al., CVPR 2019)", _FULL, "GT", {"PA-MPJPE": 27.2}, "paper"),
        Published("VideoPose3D, 243 frames (Pavllo et al., CVPR 2019)", _FULL, "CPN", {"PA-MPJPE": 36.5}, "paper"),
    ),
    "h36m-n": (Published("ElePose (Wandt et al., CVPR 2022)", _UNSUPERVISED, "GT", {"N-MPJPE": 64.0}, _LISTED),),
    "3dhp": (
        Published(
            "PoseNet3D (Tripathi et al., 3DV 2020)", _UNSUPERVISED, "GT", {"PCK@150": 81.9, "AUC": 43.2, "MPJPE": 102.4}, _LISTED
        ),
        Published("Chen et al., CVPR 2019", _UNSUPERVISED, "GT", {"PCK@150": 71.1, "AUC": 36.3}, _TABLE),
        Published("EpipolarPose (Kocabas et al., CVPR 2019)", _VIEWS, "picture", {"PCK@150": 64.7}, _TABLE),
    ),
    "3dpw": (
        Published("PoseNet3D (Tripathi et al., 3DV 2020)", _UNSUPERVISED, "detected", {"PA-MPJPE": 63.2}, _LISTED, None),
        Published("ElePose (Wandt et al., CVPR 2022)", _UNSUPERVISED, "detected", {"PA-MPJPE": 64.1}, _LISTED, True),
    ),
}  # fmt: skip


def table(
    protocol: str, columns: tuple[str, ...], ours: Mapping[str, float | None], name: str, input_2d: str | None
) -> str:
    """Return a Markdown table of the published rows of a protocol and our row, which does not allow reflections.

    Args:
        protocol: a name in `posenet3d.evaluation.protocols.PROTOCOLS`; without published rows the table has only ours.
        columns: of the protocol.
        ours: column to value.
        name: name of our row.
        input_2d: 'GT' or the name of the detector; None if unknown.
    """
    reflection = {True: "allowed", False: "no", None: "not stated"}
    heads = ["method", "learns from", "2D", *columns, "reflection", "source"]
    rows = [
        [p.method, p.supervision, p.input_2d, *(_cell(p.numbers.get(c)) for c in columns),
         reflection[p.allows_reflection], p.source]
        for p in PUBLISHED.get(protocol, ())
    ]  # fmt: skip
    ours_2d = _text(input_2d or "not stated")
    numbers = (_cell(ours.get(c)) for c in columns)
    rows.append([f"**{_text(name)}**", _UNSUPERVISED, ours_2d, *numbers, "no", "this run"])
    lines = [f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows]]
    return "\n".join(lines)


def _text(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
