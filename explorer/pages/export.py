"""Export: files for other programs, a rendered movie, and an HTML page with the comparison."""

import mimetypes
import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from explorer import cache, session, sidebar
from explorer.compare.candidates import Candidate
from explorer.markdown import as_text
from explorer.viewer import standalone
from posenet3d.errors import InputError
from posenet3d.exports import formats
from posenet3d.exports.movie import Panel, rendering_problem, write_movie
from posenet3d.io.lifted_npz import lifted_bytes

choice = sidebar.chosen()
candidates = choice.candidates


def file_buttons(candidate: Candidate) -> None:
    """Draw one download button per format."""
    name = candidate.lifted.name
    st.download_button(
        "PoseNet3D's npz: everything; this program reads it back",
        lambda: lifted_bytes([candidate.lifted]),
        file_name=f"{name}.npz",
        on_click="ignore",
        help="joints_3d (frames, 17, 3): metres, camera frame, x right, y down, z forward; with the body's parameters.",
    )
    has_body = candidate.lifted.body is not None
    frame = 0
    if has_body and len(candidate.lifted) > 1:
        frame = st.number_input(
            "Frame for OBJ",
            0,
            len(candidate.lifted) - 1,
            session.remembered_frame(cache.content_key(choice.sequence)),
        )
    chosen: dict[str, int] = {"frame": frame}
    for name, description in formats.PLACING.items():
        of_formats = ", ".join(one.name for one in formats.EXPORT_FORMATS if name in one.options)
        chosen[name] = st.checkbox(
            description.partition(":")[0], key=f"export --{name}", help=f"{description}. {of_formats}."
        )
    for one in formats.EXPORT_FORMATS:
        if one.is_movie:
            continue
        options = {name: value for name, value in chosen.items() if name in one.options}
        st.download_button(
            one.description,
            file_content(candidate, one.name, options),
            file_name=name + one.suffix,
            on_click="ignore",
            disabled=one.needs_body and not has_body,
            key=f"export {one.name}",
        )
    if not has_body:
        st.caption(
            "Disabled formats need a body: choose the student in the sidebar. A teacher's skeleton has no rotations."
        )


def file_content(candidate: Candidate, format_name: str, options: dict[str, int]) -> Callable[[], bytes]:
    """Return the function that makes the file when its button is pressed."""
    return lambda: formats.export_clip(candidate.lifted, format_name, **options).content


def movie() -> None:
    """Draw the movie's options, render it with a progress bar, then show it with a download button."""
    suffixes = [one.suffix for one in formats.EXPORT_FORMATS if one.is_movie]
    suffix = st.radio("Format", suffixes, horizontal=True, key=session.MOVIE_FORMAT.key, persist_state="session")
    orbit = st.toggle("Camera circles the person", key=session.MOVIE_TURNS.key, persist_state="session")
    if st.button("Render the video", type="primary"):
        place = st.empty()
        box = place.container()
        bar = box.progress(0.0, "Starting ...")
        box.button("Cancel")  # any click ends this run of the page, and the rendering with it
        problem = rendering_problem()  # not before a movie is wanted: the first call takes seconds
        if problem is not None:
            place.warning(as_text(problem))
            return

        def report_progress(share: float) -> None:
            bar.progress(share, "Rendering ...")

        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"movie{suffix}"
                panels = [Panel(candidate.label, candidate.lifted) for candidate in candidates]
                write_movie(path, panels, orbit=orbit, progress=report_progress)
                session.MOVIE.set((suffix, path.read_bytes()))
        except InputError as error:
            st.error(as_text(error))
        finally:
            place.empty()
    rendered = session.MOVIE.get()
    if rendered is not None:
        rendered_suffix, content = rendered
        if rendered_suffix == ".mp4":
            st.video(content, loop=True, autoplay=True)
        else:
            st.image(content)
        st.download_button(
            f"Download the video ({len(content) / 1e6:.1f} MB)",
            content,
            file_name=choice.sequence.name + rendered_suffix,
            mime=mimetypes.types_map[rendered_suffix],
            on_click="ignore",
        )


def html_page() -> None:
    """Draw the download button of an HTML page with this comparison, for people without this program."""
    payload = cache.payload(choice.sequence, candidates)
    if payload.is_licensed:
        st.warning(
            "This page would contain the mesh of an official SMPL body: share it only as that body's licence allows."
        )
    st.download_button(
        "Download the comparison (.html)",
        lambda: standalone.standalone_page(payload),
        file_name=f"{choice.sequence.name}.html",
        mime="text/html",
        on_click="ignore",
        help="Opens from disk in any browser, without a network: scrub, orbit, compare. About 1.5 MB.",
    )


left, right = st.columns(2, gap="large")
with left:
    st.subheader("Files for other programs")
    labels = [candidate.label for candidate in candidates]
    label = st.radio("Result to export", labels, format_func=as_text, horizontal=True) if len(labels) > 1 else labels[0]
    file_buttons(candidates[labels.index(label)])
with right:
    st.subheader("Web page")
    html_page()
    st.subheader("Rendered video")
    movie()
