"""Import: bring a video or 2D joints, see who is in it, choose a person, and have them lifted."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer import cache, sidebar
from explorer.browser_video import Backdrop, backdrop
from explorer.charts import tracks as track_charts
from explorer.video_import import look_at, thumbnails
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection.detectors import DETECTORS, RECOMMENDED, Detector, install
from posenet3d.errors import InputError
from posenet3d.io.keypoints.formats import accepted_suffixes, formats_as_markdown

FILE_TYPES = [suffix.removeprefix(".") for suffix in accepted_suffixes()]
PICTURE_TYPES = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff"]
VIDEO_TYPES = ["mp4", "mov", "m4v", "avi", "mkv", "webm", "gif"]
SAME_SHAPE = 0.02  # two images of one shape differ by rounding only

FORMATS = f"""
A **video** (mp4, mov, avi, webm, gif), all **images** of one at once (jpg, png), or the 2D joints that a detector wrote:

{formats_as_markdown()}

Of an OpenPose folder drop all .json files at once. The joint set is recognised. The files stay on this computer.
"""

EXPLORE = Path(__file__).with_name("explore.py")
SHOWN = "imported file"

HOLDS_UP = "What was wrong is said here; everything that was there before is still there."


def bring() -> None:
    """The uploader; what it was given is read as soon as it changes."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.file_uploader(
        "Video or 2D joints",
        type=[*VIDEO_TYPES, *PICTURE_TYPES, *FILE_TYPES],
        accept_multiple_files=True,
        key="upload",
        on_change=take_upload,
        help=FORMATS,
    )
    right.number_input(
        "Frames per second",
        min_value=1.0,
        max_value=1000.0,
        value=None,
        placeholder="as in the file, else 30",
        key="upload_fps",
        on_change=take_upload,
    )
    look_at_films(choose_detector())
    problems = st.session_state.get("upload_problems", [])
    for problem in problems:
        st.error(problem)
    if problems:
        st.caption(HOLDS_UP)


def take_upload() -> None:
    """Read what was uploaded and show what is new; what fails is said in a sentence and changes nothing else."""
    known = set(sidebar.uploaded())
    st.session_state["upload_problems"] = []
    uploaded = st.session_state["upload"] or []
    films = films_among(uploaded)
    cancelled = st.session_state.get("cancelled films", [])
    st.session_state["films to look at"] = {
        name: files for name, files in films.items() if name not in known and files not in cancelled
    }
    in_films = [file for files in films.values() for file in files]
    for name, files in grouped([file for file in uploaded if file not in in_films]).items():
        try:
            sidebar.uploaded()[name] = cache.read_upload(files, st.session_state["upload_fps"])
        except InputError as error:
            st.session_state["upload_problems"].append(str(error))
    if new := [name for name in sidebar.uploaded() if name not in known]:
        st.session_state[SHOWN] = new[-1]


def films_among(files: Sequence[UploadedFile]) -> dict[str, list[UploadedFile]]:
    """Videos by their names; pictures are one film together."""
    films = {file.name: [file] for file in files if _ending(file.name) in VIDEO_TYPES}
    pictures = [file for file in files if _ending(file.name) in PICTURE_TYPES]
    if len(pictures) == 1:
        films[pictures[0].name] = pictures
    elif pictures:
        films[f"{cache.clip_name(pictures[0].name)} ({len(pictures)} pictures)"] = pictures
    return films


def _ending(name: str) -> str:
    return Path(name).suffix[1:].lower()


def look_at_films(detector: Detector) -> None:
    """Find the people in the films that were brought, one after the other, with a bar and a way out."""
    waiting = st.session_state.get("films to look at", {})
    for name in list(waiting):
        place = st.empty()
        box = place.container()
        bar = box.progress(0.0, f"Looking at {name} ...")
        box.button("Cancel", key=f"cancel {name}", on_click=give_up, args=(name,))
        try:
            with on_disk(name, waiting[name]) as path:
                clock = Clock()

                def tell(share: float, bar: DeltaGenerator = bar, name: str = name, clock: Clock = clock) -> None:
                    bar.progress(min(share, 1.0), f"Looking at {name} ... {clock.left(share)}")

                seen = look_at(path, st.session_state["upload_fps"], detector, tell)
        except InputError as error:
            st.session_state["upload_problems"].append(str(error))
        else:
            sidebar.uploaded()[name], sidebar.videos()[name] = seen.tracks, seen.backdrop
            st.session_state.setdefault("notes", {})[name] = seen.notes
            st.session_state[SHOWN] = name
        del waiting[name]
        place.empty()


def give_up(name: str) -> None:
    """The user does not want a film looked at any more; it may be brought again."""
    waiting = st.session_state["films to look at"]
    st.session_state.setdefault("cancelled films", []).append(waiting.pop(name))


@contextmanager
def on_disk(name: str, files: Sequence[UploadedFile]) -> Iterator[Path]:
    """An upload as a file, several as a folder, for a while; what is wrong is said of the user's name, not of our copy."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / cache.clip_name(files[0].name)
        folder.mkdir()
        for file in files:
            (folder / Path(file.name).name).write_bytes(file.getbuffer())  # no second copy in memory
        try:
            yield folder / Path(files[0].name).name if len(files) == 1 else folder
        except InputError as error:
            raise InputError(name, error.problem, error.remedy) from error


class Clock:
    """How long it will still take."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def left(self, share: float) -> str:
        """In words; nothing before that can be told."""
        passed = time.monotonic() - self.started
        return f"{passed / share * (1 - share):.0f} s left" if share > 0.02 and passed > 1 else ""


def choose_detector() -> Detector:
    """The detector for videos; where a better one can be installed, a word about that and a button."""
    installed = {detector.name: detector for detector in DETECTORS.values() if detector.python() is not None}
    if st.session_state.get("detector") not in installed:
        st.session_state["detector"] = next(iter(installed))
    is_best = RECOMMENDED.name in installed
    with st.expander(f"Detector of 2D joints in videos: {st.session_state['detector']}", expanded=not is_best):
        st.radio(
            "Detector",
            list(installed),
            captions=[detector.description for detector in installed.values()],
            key="detector",
            label_visibility="collapsed",
            persist_state="session",
        )
        if not is_best:
            st.write(OFFER.format(detector=RECOMMENDED))
            offer(RECOMMENDED)
    return installed[st.session_state["detector"]]


OFFER = (
    "{detector.title} is far more accurate. This button downloads it ({detector.licence}, {detector.install_size}) from "
    "PyPI into {detector.folder}; it does not change this program's own packages. On the command line: "
    "`{detector.install_command}`."
)


def offer(detector: Detector) -> None:
    """The button that installs it."""
    if st.button(f"Install {detector.title}", type="primary"):
        with st.spinner(f"Installing {detector.title}, a minute or two ..."):
            try:
                install(detector)
            except InputError as error:
                st.error(str(error))
                return
        st.rerun()


def grouped(files: Sequence[UploadedFile]) -> dict[str, tuple[cache.Upload, ...]]:
    """Uploaded files by the name to show: OpenPose's frames are one clip together, any other file is one by itself."""
    contents = [(file.name, file.getvalue()) for file in files]
    frames = sorted((n, content) for n, content in contents if n.endswith(".json") and b'"people"' in content)
    groups: dict[str, tuple[cache.Upload, ...]]
    groups = {name: ((name, content),) for name, content in contents if (name, content) not in frames}
    if not frames:
        return groups
    return groups | {f"{cache.clip_name(frames[0][0])} ({len(frames)} frames)": tuple(frames)}


def look(name: str, tracks: Sequence[PoseSequence]) -> None:
    """Who is in the file, when, and the button that lifts one of them."""
    for note in st.session_state.get("notes", {}).get(name, []):
        st.caption(note)
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        st.markdown("**Who is in it**")
        table = track_charts.track_table(tracks)
        if name in sidebar.videos():
            table.insert(0, "picture", read_frames(sidebar.videos()[name], tracks))
        picked = st.dataframe(
            table,
            hide_index=True,
            row_height=64 if "picture" in table else None,
            column_config={"picture": st.column_config.ImageColumn("", width="small")},
            width="stretch",
            on_select="rerun",
            selection_mode=["single-row-required", "single-cell"],  # a click on the picture chooses, too
            selection_default={"selection": {"rows": [0]}},
            key=f"people of {name}",
        )
        person = (picked["selection"]["rows"] or [0])[0]
        if cells := picked["selection"]["cells"]:
            person = cells[0][0]
        st.plotly_chart(track_charts.presence(tracks), key="presence")
    with right:
        chosen = tracks[person]
        frame = 0
        if len(chosen) > 1:
            seen = chosen.is_observed.sum(1)
            frame = st.slider("Frame", 0, len(chosen) - 1, int(seen.argmax()), key=f"frame of {name} {person}")
        st.plotly_chart(track_charts.people_in_frame(tracks, frame), key="people")
    lay_video(name, tracks)
    if st.button(f"Lift {chosen.name} to 3D", type="primary", on_click=sidebar.show, args=(name, person)):
        # The sidebar has lifted it by now. Without parameters of its own, the switch would drop those bound to widgets.
        st.switch_page(EXPLORE, query_params={"frame": "0"})


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs={Backdrop: lambda video: video.content})
def read_frames(video: Backdrop, _tracks: Sequence[PoseSequence]) -> list[str]:
    """`thumbnails`, once per video."""
    return thumbnails(video, _tracks)


def lay_video(name: str, tracks: Sequence[PoseSequence]) -> None:
    """The uploader of the video that the joints were found in; the viewer shows it behind them."""
    if len({len(track) for track in tracks}) > 1 or name in st.session_state.get("notes", {}):
        return  # clips of a packed set, not people of one; or it has its video
    with st.expander("Its video, to be shown behind the joints"):
        file = st.file_uploader("Video", type=VIDEO_TYPES, key=f"video of {name}", label_visibility="collapsed")
        made_from = st.session_state.setdefault("videos made from", {})
        if name in made_from and made_from[name][1] != len(tracks[0]):  # another clip came under the same name
            del made_from[name], sidebar.videos()[name]
        if file is not None and made_from.get(name, ("",))[0] != file.file_id:
            place = st.empty()

            def tell(share: float) -> None:
                place.progress(min(share, 1.0), f"Copying {file.name} ...")

            try:
                with on_disk(file.name, [file]) as path:
                    sidebar.videos()[name] = backdrop(path, len(tracks[0]), tracks[0].fps, tell)
            except InputError as error:
                place.error(str(error))
                return
            place.empty()
            made_from[name] = file.file_id, len(tracks[0])
        if name in sidebar.videos():
            video = sidebar.videos()[name]
            # The image's size sets the camera where the file of the joints was silent about it.
            sized = [replace(track, image_size=track.image_size or video.film.size) for track in tracks]
            sidebar.uploaded()[name] = sized
            st.caption(fit_of(video, sized[0]))


def fit_of(video: Backdrop, track: PoseSequence) -> str:
    """What the video is, and a warning where the joints were read at another rate, or written for an image of another shape."""
    width, height = video.film.size
    words = f"{width} x {height} pixels, {len(video.film)} frames, {video.film.fps:.4g} per second."
    if len(video.film) == len(track) and abs(video.film.fps / track.fps - 1) > SAME_SHAPE:
        words += f" **The joints were read at {track.fps:g} frames per second: set it above, beside the upload.**"
    if track.image_size is None or abs(track.image_size[0] / track.image_size[1] * height / width - 1) < SAME_SHAPE:
        return words
    wide, high = track.image_size
    return f"{words} **The joints were written for {wide} x {high}: is it the right video?**"


st.subheader("Your own clip")
bring()
files = sidebar.uploaded()
if files:
    shown = st.selectbox("File", list(files), key=SHOWN, persist_state="session")
    look(shown, files[shown])
else:
    st.markdown(FORMATS)
    st.info("No file yet? Drop one above, or choose a bundled sequence in the sidebar and open Explore.")
