# %% [markdown]
# # 2 · The teacher: depth from 2D alone
#
# **Question.** The first notebook ended with a network that must guess a depth for every joint, and nobody to tell it the
# answer. Which losses are left, what does each of them want, and is that enough?

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from pictures import row, skeleton_2d, skeleton_3d

import posenet3d as p3
from posenet3d.config import override
from posenet3d.core.lifted import Lifted
from posenet3d.core.normalise import at_pelvis, head_length
from posenet3d.core.rotation import random_views
from posenet3d.lifting.lifter import SkeletonLifter
from posenet3d.losses import adversarial, consistency
from posenet3d.models.discriminators import DiscriminatorConfig, PoseDiscriminator
from posenet3d.synthetic.sequences import MOTIONS, synthetic_sequence
from posenet3d.training.clips import clips_from
from posenet3d.training.lifter import TeacherTraining
from posenet3d.training.mirror_guard import handedness, repair_mirrored_depth
from posenet3d.training.teacher import train_teacher

torch.manual_seed(0)
training = [synthetic_sequence(motion, seed=n, azimuth_deg=30.0 * n) for motion in MOTIONS for n in range(12)]
unseen = [synthetic_sequence(motion, seed=99, azimuth_deg=30.0 * n + 15) for n, motion in enumerate(MOTIONS)]
rays = at_pelvis(clips_from(training).rays)  # what the virtual camera sees that looks at the pelvis
unit = head_length(rays)  # mean distance from head to pelvis in the picture: the measure of all depths
print(f"{len(rays)} frames of 2D, head to pelvis {unit:.3f} of the distance")

# %% [markdown]
# ## Self-consistency: every closed loop must close
#
# Lift a picture, turn the figure, take its picture, lift that, turn back, take a picture: it should be the first one. On the
# way two things can be compared, the lifted figures (3D) and the pictures (2D). Let us try four lifters that we make by hand.
#
# **Predict:** which of them closes the loop: one that knows the truth, one that knows the truth mirrored, one that always says
# "flat", one that says something different every time?

# %%
picked = torch.linspace(0, len(rays) - 1, 256).long()
everything = np.concatenate([s.joints_3d for s in training]).astype(np.float64)
toward = torch.from_numpy(np.linalg.norm(everything[picked, 0], axis=-1))


class Oracle:
    """Knows the depth of the pose that it is asked for; with `sign` -1 its mirror image."""

    def __init__(self, sign: float):
        self.sign = sign
        self.truth = None  # filled below: the poses in the virtual camera's frame, root distances

    def __call__(self, view: torch.Tensor) -> torch.Tensor:
        is_first = view.shape == first.shape and torch.equal(view, first)
        pose = self.truth if is_first else consistency.rotate(self.truth, turns)
        return (pose[..., 2] - pose[..., :1, 2]) / unit


def mirrored_world(pose: torch.Tensor) -> torch.Tensor:
    """The pose that has the same picture at mirrored depth: a joint slides along its ray to the other side."""
    z = pose[..., 2:]
    return torch.cat([pose[..., :2] * (1 - z) / (1 + z), -z], -1)


def virtual_poses() -> torch.Tensor:
    """The true poses as the virtual camera sees them, about the pelvis, in root distances."""
    from posenet3d.core.camera import look_at_rays

    chosen = everything[picked]
    turn_to_pelvis = look_at_rays(chosen[:, 0, :2] / chosen[:, 0, 2:])
    seen = np.einsum("fij,fkj->fki", turn_to_pelvis, chosen) / toward.numpy()[:, None, None]
    return torch.from_numpy(seen - seen[:, :1]).float()[:, None]


first = rays[picked][:, None]
turns = random_views(len(picked), np.radians(8), np.radians(3), 0.0, torch.Generator().manual_seed(1))
knows, mirror = Oracle(1.0), Oracle(-1.0)
knows.truth = virtual_poses()
mirror.truth = mirrored_world(knows.truth)
noise = torch.Generator().manual_seed(2)
lifters = {
    "the truth": knows,
    "the truth, mirrored": mirror,
    "flat": lambda view: torch.zeros(view.shape[:-1]),
    "something else every time": lambda view: torch.randn(view.shape[:-1], generator=noise),
}
loops, views = {}, {}
for name, lift in lifters.items():
    loop = consistency.cycle(lift, first, turns, unit)
    views[name] = loop.view[:, 0] / unit
    loops[name] = (
        float(consistency.distance(loop.reprojected, first).mean() / unit),
        float(consistency.distance(loop.relifted, loop.rotated).mean() / unit),
    )
    print(f"{name:28} 2D loop {loops[name][0]:.3f}   3D loop {loops[name][1]:.3f}")
assert max(loops["the truth"]) < 0.01
assert max(loops["the truth, mirrored"]) < 0.02
assert min(loops["flat"][1], loops["something else every time"][1]) > 0.1

# %% [markdown]
# The truth closes, as it must. So does the mirror world. "Flat" fails, but not by much in 2D, and a network could close the loop
# by agreeing with itself on *something* that is no person at all. That is what the second loss is for.
#
# ## The discriminator: could this be a picture of a person?
#
# A small network is shown real pictures and pictures of turned figures, and learns to tell them apart; the lifter learns to fool
# it. Here it is trained for a few seconds against the flat and the random lifter.
#
# **Predict:** the mirror world was never shown to it. Will it be called real?

# %%
critic = PoseDiscriminator(DiscriminatorConfig(width=64, blocks=1))
adam = torch.optim.Adam(critic.parameters(), lr=1e-3)
draws = torch.Generator().manual_seed(0)
for _ in range(600):
    real = rays[torch.randint(len(rays), (128,), generator=draws)] / unit
    source = views["flat" if torch.rand((), generator=draws) < 0.5 else "something else every time"]
    made = source[torch.randint(len(picked), (128,), generator=draws)]
    loss = adversarial.discriminator_loss(critic(real), critic(made)).mean()
    adam.zero_grad()
    loss.backward()
    adam.step()
critic.eval()
with torch.no_grad():
    scores = {"real pictures": critic(rays[::40] / unit)} | {name: critic(view) for name, view in views.items()}
plot, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
axes.boxplot([s.numpy() for s in scores.values()], orientation="horizontal", tick_labels=list(scores), showfliers=False)
axes.set_xlabel("score: 1 is real, 0 is made")
median = {name: float(s.median()) for name, s in scores.items()}
print({name: round(value, 2) for name, value in median.items()})
assert min(median["real pictures"], median["the truth"]) > 0.8
assert max(median["flat"], median["something else every time"]) < 0.5
assert median["the truth, mirrored"] < median["the truth"]

# %% [markdown]
# The mirror world scores low, though nobody showed it. These cameras look down by nine degrees, so a mirrored person leans, and
# leans to the other side when turned. Had the cameras been level there would have been nothing to see. The hint is real but weak:
# a lifter settles in one of the two worlds within its first hundred steps, long before its critic has learnt to see it.

# %% [markdown]
# ## Both at once: a real training
#
# A small teacher, on the pictures above: first every frame for itself, then windows of frames. **No 3D is given to it.** The
# bundled checkpoint is the same program with a wider network on real motion, forty minutes instead of one or two.
#
# **Predict:** every joint at one depth is about 150 mm off after alignment. Where will the small teacher end, in mm?

# %%
folder = Path(tempfile.mkdtemp()) / "teacher"
settings = override(
    TeacherTraining(),
    ["model.width=128", "model.blocks=2", "discriminator.width=128", "denoiser_steps=30", "denoiser_batch=4",
     "frame_steps=1200", "temporal_steps=60", "frame_batch=160", "temporal_batch=24", "lr=1e-3", "lr_discriminator=6e-4",
     "tilt_mean_deg=9", "tilt_sd_deg=3"],
)  # fmt: skip
small = train_teacher(training, settings, folder)
log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]

# %%
plot, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for name in ("consistency_2d", "consistency_3d"):
    points = [(line["step"], line[name]) for line in log if line["phase"] == "frame" and name in line]
    axes[0].plot(*zip(*points, strict=True), label=name)
for name in ("pose", "discriminator"):
    points = [(line["step"], line[name]) for line in log if line["phase"] == "frame" and name in line]
    axes[1].plot(*zip(*points, strict=True), label=name)
axes[0].set_title("the loops close", fontsize=10)
axes[1].set_title("the game: neither side wins", fontsize=10)
for one in axes:
    one.set_xlabel("step")
    one.legend()

# %%
lifted = {
    "small teacher, 2D only": p3.Lifter.load(folder)(unseen),
    "bundled teacher, 2D only": p3.Lifter.load("teacher")(unseen),
}
flat = [
    Lifted(s.name, np.concatenate([s.keypoints_px / 1000, np.full((len(s), 17, 1), 5.0)], -1).astype(np.float32))
    for s in unseen
]
error = {name: p3.evaluate(result, unseen).overall.pa_mpjpe for name, result in {"flat": flat, **lifted}.items()}
for name, value in error.items():
    print(f"{name:28} {value:6.1f} mm PA-MPJPE on views that were not trained on")
assert error["small teacher, 2D only"] < 0.85 * error["flat"]
assert error["bundled teacher, 2D only"] < error["flat"] / 2

# %% [markdown]
# The bundled teacher has never seen these made motions; the small one has seen them from other sides, and nothing else.

# %%
kick, frame = list(MOTIONS).index("kick"), 52
plot, axes = row(4, is_3d=[False, True, True, True])
skeleton_2d(axes[0], unseen[kick].keypoints_px[frame], "2D, all that it was given")
skeleton_3d(axes[1], unseen[kick].joints_3d[frame], "the truth", turn_deg=-20)
for one, (name, results) in zip(axes[2:], lifted.items(), strict=True):
    skeleton_3d(one, results[kick].joints_3d[frame], name, turn_deg=-20)

# %% [markdown]
# ## The guard against the mirror world
#
# Half of all trainings would end in the mirror world. Turn this one over by hand, as chance might have done:
#
# **Predict:** what happens to the loops, and to the error?

# %%
batch = rays[:: len(rays) // 2000]
small.eval()
before = handedness(consistency.cycle(small.lift_frames, first, turns, unit).pose)
small.depth_sign.neg_()
with torch.no_grad():
    inside_out = consistency.cycle(small.lift_frames, first, turns, unit)
wrong = p3.evaluate(SkeletonLifter(small, "inside out")(unseen), unseen).overall.pa_mpjpe
print(f"bends that go the right way: {100 * before:.0f} % before, {100 * handedness(inside_out.pose):.0f} % now")
print(f"error {error['small teacher, 2D only']:.0f} mm before, {wrong:.0f} mm now")
assert handedness(inside_out.pose) < 0.5 < before
assert wrong > error["flat"], "worse than knowing nothing"
assert repair_mirrored_depth(small, batch)
assert not repair_mirrored_depth(small, batch), "in the right world it does nothing"
repaired = p3.evaluate(SkeletonLifter(small, "repaired")(unseen), unseen).overall.pa_mpjpe
print(f"after the guard {repaired:.0f} mm")
assert abs(repaired - error["small teacher, 2D only"]) < 0.1

# %% [markdown]
# ## Exercises
#
# 1. Train once more with `weights.pose=0` (no discriminator), and once with `weights.consistency_2d=0 weights.consistency_3d=0`.
#    Look at the figures from the side. Which failure is which?
# 2. Tell the program that cameras are level (`tilt_mean_deg=0`) though ours look down by nine degrees. How much does that cost?
# 3. Why does the strict metric (no reflection allowed) matter? Compute the error of the mirrored truth with and without the line
#    of `metrics.procrustes_aligned` that forbids reflections.
#
# Answers: [answers/02.md](answers/02.md). Next: [03_time](03_time.ipynb).
