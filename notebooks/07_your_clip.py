# %% [markdown]
# # 7 · Your clip
#
# **Question.** What does the program make of *your* motion, and how far should you believe it when there is no ground truth?
#
# Set `CLIP` to a file of yours: 2D joints of any detector (COCO or OpenPose JSON, AlphaPose, MMPose, CSV, NPZ ...), or a video
# (MP4, MOV, AVI, WebM, GIF), for which a detector must be installed (`python -m posenet3d detectors`). Left alone, the notebook
# writes an example of its own.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from pictures import bodies, row, show, skeleton_2d, skeleton_3d

import posenet3d as p3
from posenet3d.core.camera import project
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.evaluation import metrics
from posenet3d.evaluation.metrics import METRICS
from posenet3d.evaluation.motion import HUMAN_HZ, share_above, velocity_spectrum
from posenet3d.io.keypoints.csv_table import write_csv
from posenet3d.synthetic.detector_noise import with_detector_noise
from posenet3d.synthetic.sequences import synthetic_sequence

CLIP: str | None = None  # for example "/home/me/serve.mp4"

if CLIP is None:
    made = with_detector_noise(synthetic_sequence("squat", azimuth_deg=40.0, distance=3.5), np.random.default_rng(0))
    file = Path(tempfile.mkdtemp()) / "squat.csv"
    write_csv(file, [made])
else:
    file = Path(CLIP)

# %% [markdown]
# ## Read it
#
# In a video, people are detected frame by frame and tracked. Where the detector exchanged left and right for a moment, this is corrected.

# %%
people = p3.read(file)  # a video or a file of 2D joints
for person in people:
    print(
        f"{person.name}: {len(person)} frames at {person.fps:g} per second, {100 * person.is_observed.mean():.0f} % of joints seen"
    )
clip = people[0]  # the most complete one

# %% [markdown]
# ## Lift it
#
# **Predict:** which joint will the teacher's skeleton and the student's body disagree about most?

# %%
teacher = p3.lift(clip, checkpoint="joint")
student = p3.lift(clip, checkpoint="joint", model="student")
known = np.flatnonzero(np.isfinite(teacher.joints_3d[:, 0, 0]))
assert len(known), "nobody was seen long enough to be lifted"
four = known[np.linspace(0, len(known) - 1, 6).astype(int)[1:5]]
plot, axes = row(4)
for one, frame in zip(axes, four, strict=True):
    skeleton_2d(one, clip.keypoints_px[frame], f"frame {frame}")
plot, axes = row(4, is_3d=True)
for one, frame in zip(axes, four, strict=True):
    skeleton_3d(one, teacher.joints_3d[frame], "teacher, from the side", turn_deg=-20)
show(bodies(student.body.at(four)), [f"student, frame {frame}" for frame in four])

# %% [markdown]
# ## How far to believe it
#
# Without ground truth the error cannot be known. These can:
#
# * **reprojection**: does the 3D explain the 2D it came from? It says nothing about depth;
# * **disagreement** of teacher and student: where they differ, at least one is wrong; where they agree, both may be;
# * **bone drift** of the teacher: real bones keep their length.

# %%
apart = metrics.n_mpjpe(teacher.joints_3d, student.joints_3d)
plot, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
image = axes.imshow(apart.T, aspect="auto", cmap="cividis", vmin=0, extent=(0, len(clip) / clip.fps, 16.5, -0.5))
axes.set_yticks(range(17), JOINT_NAMES, fontsize=7)
axes.set_xlabel("seconds")
plot.colorbar(image, label="teacher and student apart, mm")

# %%
K = clip.intrinsics()
off = {
    name: metrics.reprojection_error_px(result.joints_3d, clip.keypoints_px, K)
    for name, result in {"teacher": teacher, "student": student}.items()
}
height_px = np.nanmedian(np.nanmax(clip.keypoints_px[..., 1], axis=1) - np.nanmin(clip.keypoints_px[..., 1], axis=1))
for name, error in off.items():
    print(
        f"{name}: reprojection {np.nanmedian(error):.1f} px in the median, {100 * np.nanmedian(error) / height_px:.1f} % of the person's height"
    )
drift, _ = metrics.bone_length_drift(teacher.joints_3d)
worst = JOINT_NAMES[int(np.nanmean(apart, axis=0).argmax())]
print(
    f"bones of the teacher change by {drift.mean():.1f} %; the two disagree most about: {worst}, {np.nanmean(apart):.0f} mm on average"
)
assert np.nanmedian(off["teacher"]) < 0.05 * height_px, "the figure lies on the rays that it was lifted from"
seen = project(teacher.joints_3d[known].astype(np.float64), K)
assert np.isfinite(seen).all()

# %% [markdown]
# ## Does it flow?

# %%
plot, axes = plt.subplots(1, 2, figsize=(10, 2.8), layout="constrained")
for name, result in {"teacher": teacher, "student": student}.items():
    joints = metrics.root_relative(result.joints_3d)
    speed = np.nanmean(metrics.speed(joints)[1:], axis=1) * clip.fps / metrics.MM
    axes[0].plot(np.arange(1, len(clip)) / clip.fps, speed, label=name)
    frequency, power = velocity_spectrum(joints, clip.fps)
    if len(frequency):
        axes[1].semilogy(
            frequency,
            np.nanmean(power, axis=1),
            label=f"{name}: {share_above(frequency, power):.1f} % above {HUMAN_HZ:.0f} Hz",
        )
axes[0].set(xlabel="seconds", ylabel="mean speed, m/s")
axes[1].set(xlabel="Hz", ylabel="(m/s)²/Hz")
for one in axes:
    one.legend()
print("what the numbers of `posenet3d evaluate` mean:", *(f"{m.label}: {m.description}" for m in METRICS), sep="\n  ")

# %% [markdown]
# ## Take it with you
#
# `python -m posenet3d lift CLIP -o out.npz --model student`, then `python -m posenet3d export out.npz ...` writes AMASS, BVH, glTF,
# TRC, CSV, OBJ, MP4 and GIF. Or drop the clip on the explorer's Import page (`make app`) and look at it from all sides.
#
# ## Exercises
#
# 1. Film yourself twice doing one movement, from the front and from the side. Lift both and compare the joints (`metrics.pa_mpjpe`
#    of one against the other). You now have an error bar without any ground truth.
# 2. Give the program a wrong camera (`replace(clip, K=None)` or a field of view of 30 degrees). What changes, what does not?
# 3. Cover your left arm behind your back. What does the lifted body do with it, and what does the confidence say?
#
# Answers: [answers/07.md](answers/07.md).
