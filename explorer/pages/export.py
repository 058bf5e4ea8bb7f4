"""Export: the result in the formats of other programs, as a film, and as a page of its own."""

import mimetypes
import tempfile
from pathlib import Path

import streamlit as st

from explorer import cache, sidebar
from explorer.compare.candidates import Actor
from explorer.viewer import standalone
from posenet3d.errors import InputError
from posenet3d.exports import formats
from posenet3d.exports.movie import Panel, rendering_problem, write_movie
from posenet3d.io.lifted_npz import lifted_bytes

choice = sidebar.chosen()
actors = choice.actors


def files(actor: Actor) -> None:
    """One button per format."""
    name = actor.lifted.name
    st.download_button(
        "Ours (.npz): everything, reads back into this program",
        lambda: lifted_bytes([actor.lifted]),
        file_name=f"{name}.npz",
        on_click="ignore",
        help="joints_3d (frames, 17, 3): metres, camera frame, x right, y down, z forward; a body's parameters with it.",
    )
    has_body = actor.lifted.body is not None
    frame = 0
    if has_body and len(actor.lifted) > 1:
        frame = st.number_input("Frame for OBJ", 0, len(actor.lifted) - 1, sidebar.left_at(choice.sequence))
    for one in formats.EXPORT_FORMATS:
        if one.is_movie:
            continue
        options = {"frame": frame} if "frame" in one.options else {}
        st.download_button(
            one.description,
            lambda name=one.name, options=options: formats.export_clip(actor.lifted, name, **options).content,
            file_name=name + one.suffix,
            on_click="ignore",
            disabled=one.needs_body and not has_body,
            key=f"export {one.name}",
        )
    if not has_body:
        st.caption(
            "The greyed ones need a body: choose the student in the sidebar. A teacher's skeleton has no rotations."
        )


def film() -> None:
    """Choose, render with a progress bar, look, download."""
    suffixes = [one.suffix for one in formats.EXPORT_FORMATS if one.is_movie]
    suffix = st.radio("Format", suffixes, horizontal=True, key="film format", persist_state="session")
    orbit = st.toggle("Camera goes round the person", key="film turns", persist_state="session")
    if st.button("Render the film", type="primary"):
        place = st.empty()
        box = place.container()
        bar = box.progress(0.0, "Starting ...")
        box.button("Cancel")  # any click ends this run of the page, and the film with it
        problem = rendering_problem()  # not before a film is wanted: the first time it takes seconds
        if problem is not None:
            place.warning(problem)
            return

        def tell(share_done: float) -> None:
            bar.progress(share_done, "Rendering ...")

        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"film{suffix}"
                panels = [Panel(actor.label, actor.lifted) for actor in actors]
                write_movie(path, panels, orbit=orbit, progress=tell)
                st.session_state["film"] = (suffix, path.read_bytes())
        except InputError as error:
            st.error(str(error))
        finally:
            place.empty()
    if "film" in st.session_state:
        shown, content = st.session_state["film"]
        if shown == ".mp4":
            st.video(content, loop=True, autoplay=True)
        else:
            st.image(content)
        st.download_button(
            f"Download the film ({len(content) / 1e6:.1f} MB)",
            content,
            file_name=choice.sequence.name + shown,
            mime=mimetypes.types_map[shown],
            on_click="ignore",
        )


def page() -> None:
    """The viewer with this comparison inside, for people without this program."""
    payload = cache.payload(choice.sequence, actors)
    if standalone.is_licensed(payload):
        st.warning(
            "This page would contain the mesh of an official SMPL body: share it only as that body's licence allows."
        )
    st.download_button(
        "Download the comparison (.html)",
        lambda: standalone.shared_page(payload),
        file_name=f"{choice.sequence.name}.html",
        mime="text/html",
        on_click="ignore",
        help="Opens from disk in any browser, without a network: scrub, orbit, compare. About 1.5 MB.",
    )


left, right = st.columns(2, gap="large")
with left:
    st.subheader("Files for other programs")
    labels = [actor.label for actor in actors]
    label = st.radio("Of", labels, horizontal=True) if len(labels) > 1 else labels[0]
    files(actors[labels.index(label)])
with right:
    st.subheader("A page of its own")
    page()
    st.subheader("A film")
    film()
