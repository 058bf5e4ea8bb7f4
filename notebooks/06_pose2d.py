# %% [markdown]
# # 6 · From a picture to joints: coarse to fine
#
# **Question.** Everything so far began with 2D joints. A network finds them in pictures, and it has to be small to run on a laptop.
# What can a small network learn from a large one that the labels do not say? And once it has answered, can a second look, joint by
# joint, along the bones, make the answer better?

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from pictures import row

from posenet3d.config import override
from posenet3d.paths import BUNDLED_POSE2D
from posenet3d.pose2d.crops import extract_crop, view_of
from posenet3d.pose2d.data.annotations import ImageStore, read_labels
from posenet3d.pose2d.data.data_set import PoseDataSet, people_held_out
from posenet3d.pose2d.evaluation.ablation import table
from posenet3d.pose2d.losses import bins_loss, label_loss, structure_losses
from posenet3d.pose2d.pose_network import PoseOutput, decode, flip_averaged, probabilities, targets
from posenet3d.pose2d.predict import Estimator, PeopleEstimator
from posenet3d.pose2d.refiner import BONES, Refiner, from_unit, initial_pose, to_unit
from posenet3d.pose2d.training.estimator import EstimatorTraining, train_estimator

torch.manual_seed(0)
labels, pictures = read_labels(Path("people/people.json")), ImageStore(Path("people/pictures.zip"))
names = labels.joint_set.joints
bones = [tuple(names.index(name) for name in bone.split("-")) for bone in BONES["crowdpose14"].split()]
unseen = [person for person in people_held_out(labels) if (person.joints[:, 2] > 0).sum() >= 10]


def draw_joints(axes, picture, joints, title="", colour="#d55e00"):
    axes.imshow(picture)
    is_known = joints[:, 2] > 0 if joints.shape[1] == 3 else np.ones(len(joints), bool)
    for a, b in (bone for bone in bones if is_known[list(bone)].all()):
        axes.plot(*joints[[a, b], :2].T, "-o", color=colour, markersize=2, linewidth=1.2)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


# %% [markdown]
# ## People to learn from
#
# The bundled networks learnt from 6,900 people in photographs and 2,200 drawn ones. The photographs are not ours to give away; the
# drawn people are: the body of this project in random shapes, poses, clothes and light, behind boxes and each other
# (`python -m posenet3d pose2d render`). As they are drawn, it is known where their joints are, hidden ones too. Two hundred such
# pictures, new ones, lie beside this notebook.

# %%
_, all_axes = row(4, size=2.4)
for axes, person in zip(all_axes, unseen[::9], strict=False):
    draw_joints(axes, pictures.open(person.file_name), person.joints)

# %% [markdown]
# ## What a large network says
#
# For every joint the network gives two lines of numbers: how likely each half pixel is from left to right, and from top to bottom
# (SimCC, Li et al., 2022). A label is the same, with a bump at one place. A network can say more: *either here or there*.
#
# **Predict:** for which joints does the network spread its chances, and is it less sure of those that are hidden?

# %%
bundled = Estimator(BUNDLED_POSE2D / "estimator")
config = bundled.network.config


def crop_of(person):
    crop = extract_crop(pictures.open(person.file_name), view_of(person.box, config))
    return torch.from_numpy(crop).permute(2, 0, 1).float() / 255


def labelled(person):
    return torch.from_numpy(view_of(person.box, config).to_crop(person.joints[:, :2])).float()


crops = torch.stack([crop_of(person) for person in unseen])
joints = torch.stack([labelled(person) for person in unseen])
visibility = np.stack([person.joints[:, 2] for person in unseen])
with torch.no_grad():
    wanted = flip_averaged(bundled.network, crops)
_, sure = decode(wanted)
print(
    f"confidence where joints can be seen {sure[visibility == 2].mean():.2f}, where hidden {sure[visibility == 1].mean():.2f}"
)
assert sure[visibility == 2].mean() > sure[visibility == 1].mean()

# %%
person = int(
    np.argmax(sure.numpy().mean(1) * ((visibility == 1).sum(1) >= 2))
)  # somebody it sees well, some joints hidden
shown = sorted(range(len(names)), key=lambda joint: -float(sure[person, joint]))
plot, axes = plt.subplots(1, 3, figsize=(10, 2.8), layout="constrained", width_ratios=[0.6, 1, 1])
draw_joints(axes[0], crops[person].permute(1, 2, 0), np.column_stack([joints[person], visibility[person]]), "the label")
for one, joint, what in ((axes[1], shown[0], "surest"), (axes[2], shown[-1], "least sure")):
    bins = np.arange(wanted.x.shape[-1]) / 2
    one.plot(bins, probabilities(wanted.x[person, joint]), label="the network")
    one.plot(bins, targets(joints[person, joint, 0], len(bins)), "--", label="the label")
    one.set(title=f"{what}: {names[joint]}", xlabel="pixels from the left")
    one.legend(fontsize=8)

# %% [markdown]
# ## Distillation: learn the doubts, too
#
# Two small students, a quarter as wide as the bundled network, a minute of training. Both begin with the same short
# lesson from labels. Then one goes on with labels alone; the other is also asked for the bundled network's lines (Kullback-Leibler
# divergence, `posenet3d/pose2d/losses.py`).
#
# **Predict:** on people that neither has seen, which one is nearer to the large network? Which one is nearer to the labels?

# %%
runs = Path(tempfile.mkdtemp())
people = PoseDataSet(((labels, pictures),))
small = ["model.width=8", "model.tokens=64", "batch=32", "lr=2e-3", "loop.validate_every=1000"]
train_estimator(people, override(EstimatorTraining(), [*small, "steps=200"]), runs / "start")
lesson = override(EstimatorTraining(), [*small, "steps=120", "relations=0", "distances=0"])
students = {
    "labels": train_estimator(people, lesson, runs / "labels", init=runs / "start"),
    "labels and teacher": train_estimator(
        people, lesson, runs / "taught", init=runs / "start", teacher_run=BUNDLED_POSE2D / "estimator"
    ),
}

# %%
known = torch.from_numpy(visibility > 0).float()
away = {}
for name, student in students.items():
    with torch.no_grad():
        reading = student.eval()(crops)
    away[name] = float(bins_loss(reading, wanted))
    print(f"{name:20} {away[name]:.3f} from the teacher, {label_loss(reading, joints, known):.3f} from the labels")
assert away["labels and teacher"] < away["labels"]

# %% [markdown]
# A minute is no training: neither finds joints well yet. What it buys in earnest is in the table below.
#
# ## Structure: joints are not on their own
#
# The lines treat every joint for itself. Take a pose that is right and spoil it in two ways: move the whole figure by eight pixels, or
# move every joint by eight pixels in its own direction.
#
# **Predict:** what do the labels say of the two, what does the structure loss say?

# %%


def reading_of(places):
    lines = (targets(places[..., axis], 2 * size) for axis, size in ((0, config.crop_width), (1, config.crop_height)))
    return PoseOutput(*(line.clamp(min=1e-9).log() / 10 for line in lines), wanted.tokens[:1], wanted.maps)


right = joints[person][None].clamp(min=12, max=80)
angle = torch.rand(1, len(names)) * 2 * torch.pi
spoilt = {
    "all moved together": right + torch.tensor([8.0, 0.0]),
    "each in its own direction": right + 8 * torch.stack([angle.cos(), angle.sin()], -1),
}
whole = torch.ones(1, len(names))
losses = {
    name: (float(label_loss(reading_of(pose), right, whole)), float(structure_losses(reading_of(pose), reading_of(right))["distances"]))
    for name, pose in spoilt.items()
}  # fmt: skip
plot, axes = plt.subplots(1, 2, figsize=(8, 2), layout="constrained")
for column, title in enumerate(("labels' loss", "structure loss (distances)")):
    axes[column].barh(list(losses), [values[column] for values in losses.values()], color=["#0072b2", "#d55e00"])
    axes[column].set_title(title, fontsize=10)
together, alone = losses.values()
assert together[0] > 0.5 * alone[0], "for the labels both are about as wrong"
assert together[1] < 0.05 * alone[1], "for the structure loss only one is no figure any more"

# %% [markdown]
# So the structure loss cannot place a figure, and need not: labels and lines do. It says what belongs together.
#
# ## The second look: a graph of joints
#
# Stage 2 leaves the student as it is. A graph network (IGP-GCN: joints are nodes, bones are edges) starts from the student's pose;
# every joint looks at the student's feature map *where it is thought to be*, talks to its neighbours and moves, three times, on
# finer and finer maps. Its layers begin at zero, so before training it changes nothing.
#
# **Predict:** if a wrist is put somewhere else before the second look, does it find its way back? All the way?

# %%
with torch.no_grad():
    start = initial_pose(wanted, config)
    untrained = Refiner(bundled.refiner.config).eval()(start)[-1]
assert torch.allclose(untrained, start.pose, atol=1e-6), "the identity to begin with"

wrist = names.index("r_wrist")
damaged = start.pose.clone()
damaged[:, wrist] += torch.tensor([0.2, -0.1])
with torch.no_grad():
    steps = bundled.refiner(start._replace(pose=damaged))
truth = to_unit(joints, config)
can_be_judged = torch.from_numpy(visibility[:, wrist] > 0)


def error_of(pose):
    return float((pose - truth)[can_be_judged][:, wrist].norm(dim=-1).mean()) * config.crop_width / 2


errors = [error_of(damaged), *(error_of(step) for step in steps)]
print(
    "wrists off, in pixels: ",
    " -> ".join(f"{error:.1f}" for error in errors),
    f"(before the damage {error_of(start.pose):.1f})",
)
assert errors[-1] < errors[0]

# %%
_, all_axes = row(5, size=2.0)
for axes, pose, title in zip(
    all_axes, [start.pose, damaged, *steps], ["student", "damaged", "block 1", "block 2", "block 3"], strict=True
):
    draw_joints(axes, crops[person].permute(1, 2, 0), from_unit(pose[person], config).numpy(), title)

# %% [markdown]
# ## The whole way: pictures in, joints out
#
# No boxes are given here: the person detector runs first. This is what `--detector pose2d` does with your video.

# %%
detector = PeopleEstimator()
files = list(dict.fromkeys(person.file_name for person in unseen))[:4]
_, all_axes = row(len(files), size=2.6)
for axes, file in zip(all_axes, files, strict=True):
    picture = pictures.open(file)
    found = detector(np.asarray(picture))
    axes.imshow(picture)
    for joints_found in found:
        draw_joints(axes, picture, joints_found, f"{len(found)} found")
empty = np.random.default_rng(0).integers(0, 255, (192, 192, 3), np.uint8)
assert detector(empty) == [], "nobody is in a picture of noise"

# %% [markdown]
# ## In earnest
#
# `python -m posenet3d pose2d report` trains small students with three seeds for every row and measures them on people that no network
# was trained on. PCK@0.2: the share of joints that are nearer to their label than a fifth of the torso.
#
# **Predict:** what is worth most: distillation, structure, or the second look?

# %%
measured = json.loads(Path("../docs/pose2d.json").read_text())
Markdown(table(measured, seeds=3))

# %% [markdown]
# ## Exercises
#
# 1. Train the taught student with `labels=0`: the teacher alone, no labels. How near does it come, and when would you want that?
# 2. The structure loss of stage 1 compares *distances over their mean*. Which change of a pose does it therefore not see, besides a
#    shift? Check it with `reading_of`.
# 3. Give the refiner a whole leg on the wrong side (exchange l_knee and r_knee, l_ankle and r_ankle). Does it notice? Why is this
#    harder than a wrist that is off?
#
# Answers: [answers/06.md](answers/06.md). Next: [07_your_clip](07_your_clip.ipynb).
