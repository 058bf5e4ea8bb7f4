# %% [markdown]
# # 1 · Why depth is lost, and what turning a figure tells
#
# **Question.** A camera turns three numbers per joint into two. Which bodies stand behind one picture, and how can anybody
# learn to choose among them *without ever seeing a third number*?
#
# You need no mathematics beyond "a picture is where the rays go". Everything here runs in a few seconds.

# %%
import numpy as np
import torch
from pictures import row, skeleton_2d, skeleton_3d

from posenet3d.core.camera import look_at_rays, project, to_rays, turn_rays
from posenet3d.core.normalise import unproject
from posenet3d.core.skeleton import JOINT
from posenet3d.evaluation import metrics
from posenet3d.losses.bones import bending, lengths
from posenet3d.losses.consistency import project_pose
from posenet3d.synthetic.sequences import synthetic_sequence

kick = synthetic_sequence("kick", distance=3.8, azimuth_deg=55.0)
frame = 52  # the leg is up
truth = kick.joints_3d[frame].astype(np.float64)
K = kick.intrinsics()

# %% [markdown]
# ## One picture, many bodies
#
# A pixel is a ray. Slide every joint along its own ray by any amount, and the picture stays the same.
#
# **Predict:** of the figures below, how many have the same picture?

# %%
rng = np.random.default_rng(3)
pelvis_depth = truth[JOINT["pelvis"], 2]
rays = np.concatenate([to_rays(project(truth, K), K), np.ones((17, 1))], -1)
flat = rays * pelvis_depth
wild = rays * (truth[:, 2:] + rng.normal(0, 0.25, (17, 1)))
mirrored = rays * (2 * pelvis_depth - truth[:, 2:])
figures = {"the truth": truth, "everything at one depth": flat, "depths at random": wild, "depths mirrored": mirrored}

plot, axes = row(5, is_3d=[False, True, True, True, True])
skeleton_2d(axes[0], project(truth, K), "the picture")
for place_of, (name, joints) in zip(axes[1:], figures.items(), strict=True):
    skeleton_3d(place_of, joints, name)

# %% [markdown]
# All of them, to a millionth of a pixel:

# %%
for name, joints in figures.items():
    away = np.abs(project(joints, K) - project(truth, K)).max()
    print(
        f"{name:24} {away:.1e} px from the picture, {metrics.pa_mpjpe(joints[None], truth[None]).mean():6.1f} mm from the truth"
    )
    assert away < 1e-6

# %% [markdown]
# ## Turn the figure
#
# The random figure is absurd, but the camera cannot see it. Somebody who walks around it can. This is the idea of the
# unsupervised methods (Drover et al. 2018, Chen et al. 2019, PoseNet3D 2020): lift the picture, **turn** what you got, take a
# picture of *that*, and ask whether it could be a picture of a person. Pictures of people from other sides need not be of the
# same person or moment: any heap of 2D poses will do.
#
# **Predict:** seen from the side (90 degrees), which of the four still looks like a person?


# %%
def seen_from(joints: np.ndarray, angle_deg: float) -> np.ndarray:
    """Image-plane rays of a figure that was turned about the vertical through its pelvis, as the library's losses see it."""
    pose = torch.from_numpy((joints - joints[JOINT["pelvis"]]) / pelvis_depth)
    angle = np.radians(angle_deg)
    turn = torch.tensor([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return project_pose(pose @ turn.T).numpy()


plot, axes = row(4)
for place_of, (name, joints) in zip(axes, figures.items(), strict=True):
    skeleton_2d(place_of, seen_from(joints, 90), f"{name}, from the side")

# %% [markdown]
# The flat one is a line and the random one a tangle. A *discriminator*, a network that has seen many 2D poses, will say so.
# One number that says so without a network: how wide is a person from the side, compared with real people?

# %%
real_widths = []
for motion in ("walk", "squat", "kick", "wave", "reach", "sit"):
    clip = synthetic_sequence(motion, azimuth_deg=70.0)
    towards = to_rays(clip.keypoints_px.astype(np.float64), clip.intrinsics())
    at_pelvis = turn_rays(look_at_rays(towards[:, 0]), towards)
    real_widths += list(np.ptp(at_pelvis[..., 0], axis=1) / np.ptp(at_pelvis[..., 1], axis=1))
low, high = np.percentile(real_widths, [0.5, 99.5])
width = {}
for name, joints in figures.items():
    view = seen_from(joints, 90)
    width[name] = np.ptp(view[:, 0]) / np.ptp(view[:, 1])
    verdict = "a person could look so" if low <= width[name] <= high else "nobody looks so"
    print(f"{name:24} width / height {width[name]:.2f} (people: {low:.2f} to {high:.2f})  {verdict}")
assert low <= width["the truth"] <= high
assert not low <= width["everything at one depth"] <= high

# %% [markdown]
# ## The mirror world
#
# Look again: the mirrored figure passes. Reflect all depths about the pelvis, and every picture of the mirrored person, turned one
# way, *is* a picture of the person, turned the other way (exactly so for a distant, level camera). So a heap of pictures looks the
# same in both worlds, and no test on pictures can object.
#
# **Predict:** what is anatomically wrong with the mirrored kicker?

# %%
plot, axes = row(4, is_3d=True)
for n, (name, joints) in enumerate({"the truth": truth, "mirrored": mirrored}.items()):
    skeleton_3d(axes[2 * n], joints, f"{name}, from the front", turn_deg=-90)
    skeleton_3d(axes[2 * n + 1], joints, f"{name}, from the side", turn_deg=0)

# %% [markdown]
# Its knees bend forwards and its elbows backwards. Only the body knows which world is real, and bending needs no label: it is
# a property of people, not of this person. The library's guard (`posenet3d/training/mirror_guard.py`) counts clearly bent
# joints that bend the right way, and turns all depths over if they are fewer than half.

# %%
bend = {
    name: bending(torch.from_numpy(kick_.astype(np.float64)))
    for name, kick_ in {
        "true": kick.joints_3d,
        "mirrored": np.concatenate([kick.joints_3d[..., :2], -kick.joints_3d[..., 2:]], -1),
    }.items()
}
share = {name: float((b[b.abs() > 0.1] > 0).float().mean()) for name, b in bend.items()}
print({name: f"{100 * value:.0f} % of clear bends go the way a body bends" for name, value in share.items()})
assert share["true"] > 0.9
assert share["mirrored"] == 1 - share["true"]

# %% [markdown]
# ## What else is lost: size
#
# A tall person far away and a small person nearby have one picture. Bones keep their *ratios*, though, so a lifter can only
# ever tell a figure up to one factor; the library asks you for a height, and papers align the scale before they compare.

# %%
twice = 2 * truth
print("pictures differ by", np.abs(project(twice, K) - project(truth, K)).max(), "px")
ratio = lengths(torch.from_numpy(twice[None])) / lengths(torch.from_numpy(truth[None]))
print(
    f"every bone is {float(ratio.mean()):.3f} times as long; N-MPJPE {metrics.n_mpjpe(twice[None], truth[None]).mean():.1e} mm"
)
assert np.allclose(project(twice, K), project(truth, K))
assert metrics.mpjpe(twice[None], truth[None]).mean() > 100 > 1e-6 > metrics.n_mpjpe(twice[None], truth[None]).mean()

# %% [markdown]
# ## How the library writes a pose
#
# So the networks only guess what is lost: one *depth offset* per joint against the pelvis. The rest is geometry
# (`posenet3d.models.teacher.unproject`): a joint lies on its ray, whatever the network says, and reprojection is right by
# construction.

# %%
virtual = turn_rays(look_at_rays(rays[None, 0, :2]), rays[None, :, :2])[0]
unit = 0.127
offsets = torch.randn(17, generator=torch.Generator().manual_seed(0))
points = unproject(torch.from_numpy(virtual), offsets, unit)
back = points[:, :2] / points[:, 2:]
print("random offsets, rays off by", float((back - torch.from_numpy(virtual)).abs().max()))
assert torch.allclose(back, torch.from_numpy(virtual))

# %% [markdown]
# ## Exercises
#
# 1. The argument about the mirror world said "for a distant, level camera". Move the camera to 1.2 m (`distance=1.2`) and mirror
#    again. Can the turned pictures now tell the two worlds apart? By how much?
# 2. Turn the flat figure by 10, 30, 60 and 90 degrees. From which angle on is it caught? Why do the methods sample *all* angles?
# 3. A camera that looks down by 10 degrees: turn the figure about the camera's vertical instead of the true one. Which joint
#    moves furthest off, and what would a network learn from such pictures?
#
# Answers: [answers/01.md](answers/01.md). Next: [02_teacher](02_teacher.ipynb), in which a network learns to choose.
