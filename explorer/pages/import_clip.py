"""Import: read a video or 2D joints, show the people in it, and lift one of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import cache, session, sidebar, visitors
from explorer.browser_video import BrowserVideo, transcode
from explorer.charts import tracks as track_charts
from explorer.markdown import as_text
from explorer.uploads import ACCEPTED_SUFFIXES, check_total, group_keypoints, group_videos, memory_of, on_disk
from explorer.video_import import import_video
from posenet3d.api import notes_of
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection.detectors import DETECTORS, RECOMMENDED, Detector, install
from posenet3d.errors import InputError
from posenet3d.io.keypoints.formats import formats_as_markdown
from posenet3d.io.video import VIDEO_SUFFIXES

SAME_RATIO = 0.02  # two ratios that differ by less differ by rounding only

ACCEPTED_INPUT = f"""
A **video** (mp4, mov, avi, webm, gif), the **images** of a video all at once (jpg, png), or the output of a 2D detector:

{formats_as_markdown()}

Drop all .json files of an OpenPose folder at once. The joint set is recognised automatically. The files stay on this computer.
"""

EXPLORE = Path(__file__).with_name("explore.py")

UPLOAD_FAILED = "This upload could not be read. Your earlier clips are unchanged."

INSTALL_HINT = (
    "{detector.title} is far more accurate. This button downloads it ({detector.licence}, {detector.install_size}) from "
    "PyPI into {detector.folder}; this program's own packages are unchanged. On the command line: "
    "`{detector.install_command}`."
)

INSTALL_ELSEWHERE = (
    "{detector.title} is far more accurate. It can be installed on the computer that this app runs on: open the app there "
    "under http://localhost, or run `{detector.install_command}` in a terminal there."
)


def uploader() -> None:
    """Draw the uploader, which reads its files as soon as they change, and import the videos among them."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.file_uploader(
        "Video or 2D joints",
        type=ACCEPTED_SUFFIXES,
        accept_multiple_files=True,
        key=session.UPLOAD.key,
        on_change=read_uploads,
        help=ACCEPTED_INPUT,
    )
    right.number_input(
        "Frames per second",
        min_value=1.0,
        max_value=1000.0,
        value=None,
        placeholder="as in the file, else 30",
        key=session.UPLOAD_FPS.key,
        on_change=read_uploads,
    )
    import_videos(choose_detector())
    problems = session.UPLOAD_PROBLEMS.get()
    for problem in problems:
        st.error(as_text(problem))
    if problems:
        st.caption(UPLOAD_FAILED)


def read_uploads() -> None:
    """Read the uploaded files and show the last new one; a file that cannot be read changes nothing else."""
    uploads, problems = session.UPLOADS.get(), []
    known = set(uploads)
    files = session.UPLOAD.get(None) or []
    try:
        check_total(files, kept_bytes())
    except InputError as error:
        session.UPLOAD_PROBLEMS.set([str(error)])
        session.WAITING_VIDEOS.set({})
        return
    videos = group_videos(files)
    cancelled = session.CANCELLED_VIDEOS.get()
    session.WAITING_VIDEOS.set(
        {name: parts for name, parts in videos.items() if name not in known and parts not in cancelled}
    )
    in_videos = [file for parts in videos.values() for file in parts]
    for name, contents in group_keypoints([file for file in files if file not in in_videos]).items():
        try:
            uploads[name] = cache.read_upload(contents, session.UPLOAD_FPS.get(None))
        except InputError as error:
            problems.append(str(error))
    session.UPLOAD_PROBLEMS.set(problems)
    if new := [name for name in uploads if name not in known]:
        session.IMPORTED_FILE.set(new[-1])


def kept_bytes() -> int:
    """Return the memory that the visitor's earlier files take."""
    copies = sum(len(video.content) for video in session.VIDEOS.get().values())
    return copies + sum(memory_of(tracks) for tracks in session.UPLOADS.get().values())


def import_videos(detector: Detector) -> None:
    """Detect the people in each waiting video, with a progress bar and a Cancel button."""
    waiting = session.WAITING_VIDEOS.get()
    for name in list(waiting):
        place = st.empty()
        box = place.container()
        bar = box.progress(0.0, f"Detecting people in {as_text(name)} ...")
        box.button("Cancel", key=f"cancel {name}", on_click=cancel, args=(name,))
        try:
            with on_disk(name, waiting[name]) as path:
                imported = import_video(path, session.UPLOAD_FPS.get(None), detector, progress_of(bar, name))
        except InputError as error:
            session.UPLOAD_PROBLEMS.get().append(str(error))
        else:
            session.UPLOADS.get()[name] = imported.tracks
            session.VIDEOS.get()[name] = imported.video
            session.IMPORT_NOTES.get()[name] = imported.notes
            session.IMPORTED_FILE.set(name)
        del waiting[name]
        place.empty()


def progress_of(bar: DeltaGenerator, name: str) -> Callable[[float], None]:
    """Return a function that shows the share done, and the time left, on a progress bar."""
    started = time.monotonic()

    def report_progress(share: float) -> None:
        passed = time.monotonic() - started
        left = f"{passed / share * (1 - share):.0f} s left" if share > 0.02 and passed > 1 else ""
        bar.progress(min(share, 1.0), f"Detecting people in {as_text(name)} ... {left}")

    return report_progress


def cancel(name: str) -> None:
    """Stop the import of a video; it is imported when it is uploaded again."""
    session.CANCELLED_VIDEOS.get().append(session.WAITING_VIDEOS.get().pop(name))


def choose_detector() -> Detector:
    """Choose the detector for videos; offer MediaPipe where it is not installed."""
    installed = {detector.name: detector for detector in DETECTORS.values() if detector.python() is not None}
    session.DETECTOR.forget_unless(installed)
    session.DETECTOR.set_initial(next(iter(installed)))
    name = session.DETECTOR.get(next(iter(installed)))
    better = RECOMMENDED
    is_best = better.name in installed
    with st.expander(f"Detector of 2D joints in videos: {name}", expanded=not is_best):
        st.radio(
            "Detector",
            list(installed),
            captions=[detector.description for detector in installed.values()],
            key=session.DETECTOR.key,
            label_visibility="collapsed",
            persist_state="session",
        )
        if not is_best and visitors.is_local():
            st.write(INSTALL_HINT.format(detector=better))
            install_button(better)
        elif not is_best:
            st.write(INSTALL_ELSEWHERE.format(detector=better))
    return installed[name]


def install_button(detector: Detector) -> None:
    """Draw the button that installs a detector."""
    if st.button(f"Install {detector.title}", type="primary"):
        with st.spinner(f"Installing {detector.title}, a minute or two ..."):
            try:
                install(detector)
            except InputError as error:
                st.error(as_text(error))
                return
        st.rerun()


def show_people(name: str, tracks: Sequence[PoseSequence]) -> None:
    """Draw who is in the file, and when, and the button that lifts one person."""
    notes = session.IMPORT_NOTES.get()
    for note in notes[name] if name in notes else notes_of(tracks):
        st.caption(as_text(note))
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        st.markdown("**People in this file**")
        person = choose_person(name, tracks)
        st.plotly_chart(track_charts.presence(tracks), key="presence")
    with right:
        chosen = tracks[person]
        frame = 0
        if len(chosen) > 1:
            best = int(chosen.is_observed.sum(1).argmax())
            frame = st.slider("Frame", 0, len(chosen) - 1, best, key=session.preview_frame_of(name, person).key)
        st.plotly_chart(track_charts.people_in_frame(tracks, frame), key="people")
    video_uploader(name, tracks)
    if st.button(f"Lift {as_text(chosen.name)} to 3D", type="primary", on_click=sidebar.select, args=(name, person)):
        # The sidebar has lifted it by now. Without parameters of its own, the switch would drop those bound to widgets.
        st.switch_page(EXPLORE, query_params={"frame": "0"})


def choose_person(name: str, tracks: Sequence[PoseSequence]) -> int:
    """Draw a table with one row per person and return the chosen row."""
    table = track_charts.track_table(tracks)
    video = session.VIDEOS.get().get(name)
    if video is not None:
        table.insert(0, "picture", cache.thumbnails(video, tracks))
    picked = st.dataframe(
        table,
        hide_index=True,
        row_height=64 if "picture" in table else None,
        column_config={"picture": st.column_config.ImageColumn("", width="small")},
        width="stretch",
        on_select="rerun",
        selection_mode=["single-row-required", "single-cell"],  # a click on the picture chooses, too
        selection_default={"selection": {"rows": [0]}},
        key=session.people_table_of(name).key,
    )
    if cells := picked["selection"]["cells"]:
        return cells[0][0]
    return (picked["selection"]["rows"] or [0])[0]


def video_uploader(name: str, tracks: Sequence[PoseSequence]) -> None:
    """Draw the uploader of the video in which the joints were detected; the viewer shows it behind them."""
    if len({len(track) for track in tracks}) > 1 or name in session.IMPORT_NOTES.get():
        return  # clips of a packed set instead of people in one clip, or a video that was imported itself
    videos, sources = session.VIDEOS.get(), session.VIDEO_SOURCES.get()
    with st.expander("Video behind the joints"):
        file = st.file_uploader(
            "Video", type=VIDEO_SUFFIXES, key=session.video_of(name).key, label_visibility="collapsed"
        )
        if name in sources and sources[name][1] != len(tracks[0]):  # another clip was uploaded under the same name
            del sources[name], videos[name]
        if file is not None and sources.get(name, ("",))[0] != file.file_id:
            place = st.empty()

            def report_progress(share: float) -> None:
                place.progress(min(share, 1.0), f"Copying {as_text(file.name)} ...")

            try:
                with on_disk(file.name, [file]) as path:
                    videos[name] = transcode(path, len(tracks[0]), tracks[0].fps, report_progress)
            except InputError as error:
                place.error(as_text(error))
                return
            place.empty()
            sources[name] = file.file_id, len(tracks[0])
        if name in videos:
            # The image size sets the camera where the keypoint file does not state one.
            sized = [replace(track, image_size=track.image_size or videos[name].original.size) for track in tracks]
            session.UPLOADS.get()[name] = sized
            st.caption(describe_match(videos[name], sized[0]))


def describe_match(video: BrowserVideo, track: PoseSequence) -> str:
    """Return the video's size and rate, and a warning where the joints have another frame rate or image shape."""
    original = video.original
    width, height = original.size
    text = f"{width} x {height} pixels, {len(original)} frames, {original.fps:.4g} per second."
    if len(original) == len(track) and abs(original.fps / track.fps - 1) > SAME_RATIO:
        text += f" **The joints have {track.fps:g} frames per second: set the rate next to the upload above.**"
    if track.image_size is None or abs(track.image_size[0] / track.image_size[1] * height / width - 1) < SAME_RATIO:
        return text
    joints_width, joints_height = track.image_size
    return f"{text} **The joints belong to an image of {joints_width} x {joints_height}: is this the right video?**"


st.subheader("Your own clip")
uploader()
files = session.UPLOADS.get()
if files:
    shown = st.selectbox("File", list(files), key=session.IMPORTED_FILE.key, persist_state="session")
    show_people(shown, files[shown])
else:
    st.markdown(ACCEPTED_INPUT)
    st.info("Upload a file above, or choose a bundled sequence in the sidebar and open Explore.")
