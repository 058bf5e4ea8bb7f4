"""The five verbs: paths or objects in, objects out. The command line, the app and the notebooks all call them.

``read`` and ``detect`` give people in 2D, ``lift`` gives them in 3D, ``evaluate`` measures, ``export`` writes for other programs.
An option that does not apply to the input is an error, never ignored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, overload

from posenet3d.core.camera import DEFAULT_FOV_DEG
from posenet3d.core.lifted import Lifted
from posenet3d.core.progress import OnProgress, no_progress, part
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection.detect import detect as detect_people
from posenet3d.detection.detections import Detections
from posenet3d.detection.detectors import find_detector
from posenet3d.detection.people import find_people
from posenet3d.errors import InputError
from posenet3d.evaluation.evaluate import Evaluation
from posenet3d.evaluation.evaluate import evaluate as evaluate_clips
from posenet3d.exports.formats import write_export
from posenet3d.io.keypoints.packed import read_packed
from posenet3d.io.keypoints.read import choose_track, read_keypoints
from posenet3d.io.lifted_npz import read_lifted
from posenet3d.io.video import Video, is_video, open_video
from posenet3d.lifting.lifter import DEFAULT_HEIGHT_M, Lifter

Model = Literal["teacher", "student"]

DETECTION_SHARE = 0.8
"""Share of the progress that detection takes when a video is lifted; lifting takes the rest."""


@dataclass(frozen=True)
class People:
    """The people of one input in 2D.

    Attributes:
        sequences: one per person, most completely seen first, or the clips of a packed file in its order.
        video: the video that they were detected in; None for a file of keypoints.
        notes: sentences about what was assumed or repaired.
    """

    sequences: list[PoseSequence]
    video: Video | None = None
    notes: tuple[str, ...] = ()


def read(
    path: str | Path,
    *,
    joint_set: str | None = None,
    units: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    fov_deg: float | None = None,
    detector: str | None = None,
    detector_model: Path | None = None,
    progress: OnProgress = no_progress,
) -> list[PoseSequence]:
    """Read the people of a file, a folder or a video as 2D sequences.

    Args:
        path: 2D keypoints in any supported format, or a video or folder of images, in which people are detected first.
        joint_set: keypoint files: the joint set, where it cannot be recognised.
        units: keypoint files: what the coordinates are ("px", "share", "centred", "percent"), where it cannot be recognised.
        fps: frames per second, overriding the file's own.
        image_size: (width, height) in pixels, where the file does not say it.
        fov_deg: field of view of the camera along the image's longer side, in degrees.
        detector: videos: name of the detector (default: the best one that is installed).
        detector_model: videos: a model file of your own, for detectors that take one.
        progress: told the share done, 0 to 1; raise in it to stop.

    Returns:
        One sequence per person, the most completely seen first; the clips of a packed file in its order.

    Raises:
        InputError: the input cannot be used, or an option does not apply to it.
    """
    return read_people(
        path,
        joint_set=joint_set,
        units=units,
        fps=fps,
        image_size=image_size,
        fov_deg=fov_deg,
        detector=detector,
        detector_model=detector_model,
        progress=progress,
    ).sequences


def read_people(
    path: str | Path,
    *,
    joint_set: str | None = None,
    units: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    fov_deg: float | None = None,
    detector: str | None = None,
    detector_model: Path | None = None,
    progress: OnProgress = no_progress,
) -> People:
    """Read as `read` does, and return the video and the notes as well."""
    path = Path(path)
    if fov_deg is not None and not 1 <= fov_deg <= 175:
        raise InputError("fov_deg", f"{fov_deg} degrees is not a field of view", "give 1 to 175, for example 65")
    if is_video(path):
        for name, choice in (("joint_set", joint_set), ("units", units)):
            if choice is not None:
                raise InputError(name, "is for files of 2D joints", "leave it out: the detector knows its own")
        video = open_video(path, fps)
        if fov_deg is not None:
            video = replace(video, fov_deg=fov_deg)  # known, so that no note says that it is assumed
        found = find_people(video, find_detector(detector), detector_model, progress)
        people = People(found.sequences, video, tuple(found.notes))
    else:
        for name, value in (("detector", detector), ("detector_model", detector_model)):
            if value is not None:
                raise InputError(name, "is for videos", "leave it out: the input holds 2D joints already")
        sequences = read_keypoints(path, joint_set=joint_set, fps=fps, image_size=image_size, units=units)
        people = People(sequences, notes=notes_of(sequences, fov_deg))
    return replace(people, sequences=_with_camera(people.sequences, image_size, fov_deg))


def notes_of(sequences: Sequence[PoseSequence], fov_deg: float | None = None) -> tuple[str, ...]:
    """Return every note of the sequences once, and what is assumed of the camera."""
    notes = list(dict.fromkeys(note for sequence in sequences for note in sequence.notes))
    if fov_deg is None and any(sequence.K is None for sequence in sequences):
        camera = f"The camera's field of view is unknown: {DEFAULT_FOV_DEG:g} degrees are assumed (--fov)"
        if all(sequence.image_size is None for sequence in sequences):
            camera += ", in an image twice as large as the joints' extent (--image-size)"
        notes.append(f"{camera}.")
    return tuple(notes)


def _with_camera(
    sequences: list[PoseSequence], image_size: tuple[int, int] | None, fov_deg: float | None
) -> list[PoseSequence]:
    """Return the sequences with the camera that the caller knows."""
    if image_size is not None:
        sequences = [replace(sequence, image_size=image_size) for sequence in sequences]
    if fov_deg is None:
        return sequences
    for sequence in sequences:
        if sequence.image_size is None:
            problem = f"needs the image size, which '{sequence.name}' does not have"
            raise InputError("field of view", problem, "give image_size (--image-size 1920x1080)")
    return [sequence.with_fov(fov_deg) for sequence in sequences]


def detect(
    path: str | Path,
    *,
    detector: str | None = None,
    detector_model: Path | None = None,
    fps: float | None = None,
    progress: OnProgress = no_progress,
) -> Detections:
    """Detect the 2D joints of all people in a video, an image or a folder of images.

    Args:
        path: video, image or folder of images.
        detector: its name (default: the best one that is installed).
        detector_model: a model file of your own, for detectors that take one.
        fps: frames per second, overriding the video's own.
        progress: told the share done, 0 to 1.

    Raises:
        InputError: the video cannot be used, or there is no such detector.
    """
    return detect_people(open_video(path, fps), find_detector(detector), detector_model, progress)


@overload
def lift(
    source: PoseSequence | str | Path,
    *,
    model: Model = ...,
    checkpoint: str | Path | None = ...,
    track: int | None = ...,
    height_m: float | None = ...,
    refine: bool = ...,
    fit: bool | None = ...,
    progress: OnProgress = ...,
) -> Lifted: ...


@overload
def lift(
    source: Sequence[PoseSequence],
    *,
    model: Model = ...,
    checkpoint: str | Path | None = ...,
    track: int | None = ...,
    height_m: float | None = ...,
    refine: bool = ...,
    fit: bool | None = ...,
    progress: OnProgress = ...,
) -> list[Lifted]: ...


def lift(
    source: PoseSequence | Sequence[PoseSequence] | str | Path,
    *,
    model: Model = "teacher",
    checkpoint: str | Path | None = None,
    track: int | None = None,
    height_m: float | None = None,
    refine: bool = False,
    fit: bool | None = None,
    progress: OnProgress = no_progress,
) -> Lifted | list[Lifted]:
    """Lift 2D sequences to 3D.

    Args:
        source: a sequence, several, or a path; of a path the most completely seen person is lifted, or `track`.
        model: "teacher" for a skeleton, "student" for a body in SMPL's format.
        checkpoint: name or run folder (default: the bundled one).
        track: paths: number of the person.
        height_m: teacher: body height in metres, which sets the scale (default 1.70).
        refine: teacher: nudge the clip towards bones of constant length.
        fit: student: fit the body to the 2D (default True); False is the network alone.
        progress: told the share done, 0 to 1; raise in it to stop.

    Returns:
        One result for a sequence or a path, a list for several sequences. Rows are the frames of the input.

    Raises:
        InputError: the input or the checkpoint cannot be used, or an option does not apply to the model or the source.
    """
    run = load_lifter(model, checkpoint, height_m=height_m, refine=refine, fit=fit)
    if isinstance(source, str | Path):
        people = read_people(source, progress=part(progress, 0.0, DETECTION_SHARE))
        chosen = choose_track(people.sequences, track, file=source)
        if len(chosen) != 1:
            raise InputError(
                source, f"holds {len(chosen)} clips", "lift the list that posenet3d.read gives, or one of it"
            )
        (result,) = run(chosen, part(progress, DETECTION_SHARE, 1.0))
        return at_video_frames(result, people.video)
    if track is not None:
        raise InputError("track", "is for paths", "choose the sequence instead")
    if isinstance(source, PoseSequence):
        return run([source], progress)[0]
    return run(list(source), progress)


def load_lifter(
    model: str, checkpoint: str | Path | None, *, height_m: float | None, refine: bool, fit: bool | None
) -> Callable[[Sequence[PoseSequence], OnProgress], list[Lifted]]:
    """Load a model and return the function that lifts sequences with these options.

    Raises:
        InputError: an option is given that does not apply to the model, a height that no person has, or the checkpoint
            cannot be used.
    """
    if model == "student":
        if height_m is not None or refine:
            raise InputError("height_m and refine", "are for the teacher", "leave them out: the body has its own size")
        body_lifter = Lifter.load(checkpoint, model="student")
        return lambda sequences, progress: body_lifter(sequences, fit=fit is not False, progress=progress)
    if fit is not None:
        raise InputError("fit", "is for the student", 'leave it out, or give model="student"')
    height = DEFAULT_HEIGHT_M if height_m is None else height_m
    if not 0.3 <= height <= 3.0:
        raise InputError("height_m", f"{height} is not a body height in metres", "give 0.3 to 3.0, for example 1.75")
    lifter = Lifter.load(checkpoint, model="teacher")
    return lambda sequences, progress: lifter(sequences, height_m=height, refine=refine, progress=progress)


def at_video_frames(result: Lifted, video: Video | None) -> Lifted:
    """Return one row per frame of the video, where its rate varies and the sequence is on a constant clock."""
    return result if video is None or video.has_constant_rate else result.at(video.frame_index)


def evaluate(predictions: str | Path | Sequence[Lifted], truth: str | Path | Sequence[PoseSequence]) -> Evaluation:
    """Measure lifted clips against ground truth.

    Args:
        predictions: results of `lift`, or a file that ``posenet3d lift`` wrote.
        truth: the sequences they were lifted from, with `joints_3d`, or the packed file.

    Raises:
        InputError: clips or rows do not match, or there is no ground truth.
    """
    if isinstance(predictions, str | Path):
        predictions = read_lifted(Path(predictions))
    if isinstance(truth, str | Path):
        truth = read_packed(Path(truth))
    return evaluate_clips(predictions, truth)


def export(
    result: Lifted | Sequence[Lifted],
    path: str | Path,
    *,
    format: str | None = None,
    axes: str | None = None,
    frame: int | None = None,
    beside: Lifted | None = None,
) -> None:
    """Write a result for another program.

    Args:
        result: one lifted clip; several for formats that hold whole files.
        path: file to write; its suffix says the format unless `format` does.
        format: name of the format, one of `posenet3d.exports.formats.EXPORT_FORMATS`.
        axes: "camera", "y_up" or "z_up" (default: the format's own).
        frame: formats of one frame (obj): which one.
        beside: videos (mp4, gif): another result of the clip, shown beside it.

    Raises:
        InputError: the format is not known, needs a body, or an option does not apply to it.
    """
    results = [result] if isinstance(result, Lifted) else list(result)
    write_export(results, Path(path), format, axes=axes, frame=frame, beside=beside)
