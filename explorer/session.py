"""Typed state of one visitor; the only file of the app that touches Streamlit's session state.

A `Stored` value is set and read by pages. A `Widget` names the key under which Streamlit keeps the value of an input; pages pass
`Widget.key` to the input. Keys that are bound to the address bar (`SEQUENCE`, `SHOW`, `BESIDE`) are part of every shared link.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.browser_video import BrowserVideo
from explorer.compare.candidates import Candidate, LiftingOptions
from posenet3d.core.camera import DEFAULT_FOV_DEG
from posenet3d.core.sequence import PoseSequence

T = TypeVar("T")


@dataclass(frozen=True)
class Choice:
    """What the pages show: a sequence, one or two 3D results of it, the options they were lifted with, and its video if any."""

    sequence: PoseSequence
    candidates: tuple[Candidate, ...]
    options: LiftingOptions
    video: BrowserVideo | None = None


@dataclass(frozen=True)
class Stored(Generic[T]):
    """A value that the app keeps for a visitor.

    Attributes:
        key: in the session state.
        initial: makes the value of a visitor who has none yet.
    """

    key: str
    initial: Callable[[], T]

    def get(self) -> T:
        """Return the value; the first call of a visitor stores the initial one."""
        if self.key not in st.session_state:
            st.session_state[self.key] = self.initial()
        return st.session_state[self.key]

    def set(self, value: T) -> None:
        """Store a value."""
        st.session_state[self.key] = value


@dataclass(frozen=True)
class Widget(Generic[T]):
    """The value of an input, which Streamlit keeps under the input's key."""

    key: str

    def get(self, default: T) -> T:
        """Return the value, or `default` before the input was drawn."""
        return st.session_state.get(self.key, default)

    def set(self, value: T) -> None:
        """Choose a value for the visitor; only before the input is drawn, or in a callback."""
        st.session_state[self.key] = value

    def set_initial(self, value: T) -> None:
        """Choose a value unless the visitor has one."""
        st.session_state.setdefault(self.key, value)

    def forget_unless(self, options: Collection[T]) -> None:
        """Forget a value that is no longer among the options, such as a deleted run."""
        if self.key in st.session_state and st.session_state[self.key] not in options:
            del st.session_state[self.key]


# The sidebar
SEQUENCE = Widget[str]("sequence")
SHOW = Widget[str]("show")
BESIDE = Widget[str]("beside")
FIT = Widget[bool]("fit")
HEIGHT_M = Widget[float]("height_m")
REFINE = Widget[bool]("refine")
FIELD_OF_VIEW_DEG = Widget[float]("field of view")
CHOICE = Stored[Choice | None]("choice", lambda: None)
SIBLINGS = Stored[list[PoseSequence]]("siblings", list)
"""Every person or clip of the file that the chosen sequence came from."""
_LAST_SHOWN = Stored[dict[str, Any]]("settled", dict)
_REMEMBERED_FRAME = Stored[dict[str, int]]("left at", dict)

# Import
UPLOAD = Widget[list[UploadedFile] | None]("upload")
UPLOAD_FPS = Widget[float | None]("upload_fps")
IMPORTED_FILE = Widget[str]("imported file")
DETECTOR = Widget[str]("detector")
UPLOADS = Stored[dict[str, list[PoseSequence]]]("uploaded", dict)
"""By file name, the people or clips of every file that was read."""
VIDEOS = Stored[dict[str, BrowserVideo]]("videos", dict)
"""By the same file name, the video of an upload."""
VIDEO_SOURCES = Stored[dict[str, tuple[str, int]]]("video sources", dict)
"""By the same file name, the id of the uploaded video and the number of frames for which it was transcoded."""
IMPORT_NOTES = Stored[dict[str, list[str]]]("notes", dict)
UPLOAD_PROBLEMS = Stored[list[str]]("upload problems", list)
WAITING_VIDEOS = Stored[dict[str, list[UploadedFile]]]("waiting videos", dict)
CANCELLED_VIDEOS = Stored[list[list[UploadedFile]]]("cancelled videos", list)

# The other pages
EXPLORED_CLIP = Stored[str]("clip", str)
"""Content key of the clip that the Explore page showed last."""
ERROR_MEASURE = Widget[str]("error measure")
QUANTITY = Widget[str]("quantity")
JOINTS_OVER_TIME = Widget[list[str]]("joints over time")
FULL_HEIGHT = Widget[bool]("is_whole")
SPECTRUM_JOINT = Widget[str]("joint of the spectrum")
BONES_OVER_TIME = Widget[list[str]]("bones over time")
RUN = Widget[str]("run")
OTHER_RUN = Widget[str]("other run")
PHASE = Widget[str]("phase")
SCALE = Widget[str]("scale")
MOVIE_FORMAT = Widget[str]("movie format")
MOVIE_TURNS = Widget[bool]("movie turns")
MOVIE = Stored[tuple[str, bytes] | None]("movie", lambda: None)
"""Suffix and content of the movie that was rendered last."""
NOTEBOOK = Widget[str]("notebook")

_PERSON_PREFIX = "person of "


def person_of(name: str) -> Widget[int]:
    """Return the choice of a person or clip in a file."""
    return Widget(_PERSON_PREFIX + name)


def people_table_of(name: str) -> Widget[Any]:
    """Return the table of the people in an imported file."""
    return Widget(f"people of {name}")


def preview_frame_of(name: str, person: int) -> Widget[int]:
    """Return the preview frame of a person in an imported file."""
    return Widget(f"frame of {name} {person}")


def video_of(name: str) -> Widget[UploadedFile | None]:
    """Return the uploader of the video of an imported file."""
    return Widget(f"video of {name}")


def initialise_lifting_options() -> None:
    """Set the lifting options that the visitor has not set.

    They are not the inputs' own initial values, because a cancelled lifting restores them.
    """
    for key, value in (asdict(LiftingOptions()) | {FIELD_OF_VIEW_DEG.key: DEFAULT_FOV_DEG}).items():
        Widget[Any](key).set_initial(value)


def remember_choice(choice: Choice) -> None:
    """Store the choice, and the inputs that led to it for `restore_choice`."""
    CHOICE.set(choice)
    _LAST_SHOWN.set({str(key): value for key, value in st.session_state.items() if _is_choice(str(key))})


def restore_choice() -> None:
    """Set the sidebar back to what was shown before a lifting that is being cancelled."""
    st.session_state.update(_LAST_SHOWN.get())


def _is_choice(key: str) -> bool:
    inputs = (SEQUENCE, SHOW, BESIDE, FIT, HEIGHT_M, REFINE, FIELD_OF_VIEW_DEG)
    return key in {widget.key for widget in inputs} or key.startswith(_PERSON_PREFIX)


def remembered_frame(clip: str) -> int:
    """Return the frame at which the viewer was left when the clip with this content key was shown last."""
    return _REMEMBERED_FRAME.get().get(clip, 0)


def remember_frame(clip: str, frame: int) -> None:
    """Store the frame at which the viewer is, for `remembered_frame`."""
    _REMEMBERED_FRAME.set({clip: frame})


def start_viewer(key: str, payload_id: str, frame: int) -> None:
    """Move the viewer to `frame` when it is given another clip; else leave it where the visitor moved it."""
    shown = Stored[str](f"{key} of", str)
    if shown.get() != payload_id:
        shown.set(payload_id)
        Widget[dict[str, int]](key).set({"frame": frame})
