# %% [markdown]
# # 4 · The student: from joints to a body
#
# **Question.** A skeleton of 17 points is not a body: its bones change length, its joints bend any way, it has no skin. What
# changes when a network must say everything with *rotations of one body*, and how does it learn that from the teacher?

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from pictures import bodies, show

import posenet3d as p3
from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.layer import BODY_PARENTS, pose_rotations
from posenet3d.config import override
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.evaluation.metrics import bone_length_drift
from posenet3d.lifting.checkpoint import find_checkpoint
from posenet3d.synthetic.sequences import MOTIONS, synthetic_sequence
from posenet3d.training.student import StudentTraining, train_student

torch.manual_seed(0)
body = load_body()
print(f"{body.name}: {len(body.arrays.vertices)} vertices, 24 joints, 10 numbers for the shape")

# %% [markdown]
# ## A body in thirty lines
#
# SMPL (Loper et al., 2015) is short: a mean skin plus ten ways to change it gives the *shape*; joints are averages of nearby skin;
# each joint turns about its parent (*kinematics*); and every vertex follows a mixture of joints (*skinning*).


# %%
def thirty_lines(rotations: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
    """Skin of one body: rotations (24, 3, 3) against the parents, betas (10,). As slow and plain as can be."""
    arrays = body.arrays
    skin = torch.from_numpy(arrays.vertices).float() + torch.from_numpy(arrays.shapedirs).float() @ betas
    joints = torch.from_numpy(arrays.joint_regressor @ skin.numpy()).float()
    turn, place = [rotations[0]], [joints[0]]
    for joint, parent in enumerate(BODY_PARENTS):
        if parent >= 0:
            turn.append(turn[parent] @ rotations[joint])
            place.append(place[parent] + turn[parent] @ (joints[joint] - joints[parent]))
    turns, places = torch.stack(turn), torch.stack(place)
    shift = places - torch.einsum("jab,jb->ja", turns, joints)  # what the rest pose's own place must be taken off by
    weights = torch.from_numpy(arrays.weights).float()
    blended = torch.einsum("vj,jab->vab", weights, turns)
    return torch.einsum("vab,vb->va", blended, skin) + weights @ shift


pose = 0.3 * torch.randn(72, generator=torch.Generator().manual_seed(4))
betas = torch.tensor([1.5, -1.0, 0.5, 0, 0, 0, 0, 0, 0, 0])
rotations = pose_rotations(pose[None, :3], pose[None, 3:])
library = body(rotations, betas[None]).vertices[0]
away = (thirty_lines(rotations[0], betas) - library).abs().max()
print(f"thirty lines and the library's layer differ by {1000 * away:.4f} mm")
assert away < 1e-5

# %% [markdown]
# ## Shape and pose
#
# **Predict:** the second number of the shape is turned from -2 to 2. Do the *rotations* change? Do the joints' places?


# %%
def standing(betas: np.ndarray, bend_knee_deg: float = 0.0, raise_arm_deg: float = 0.0) -> BodyParameters:
    """One person upright before the camera (which has y down, so that upright is half a turn about x)."""
    turns = np.zeros((1, 24, 3), np.float32)
    turns[0, 0] = [np.pi, 0, 0]
    turns[0, 4, 0] = np.radians(bend_knee_deg)
    turns[0, 1, 0] = -np.radians(bend_knee_deg) / 2
    turns[0, 17, 2] = np.radians(60 - raise_arm_deg)
    turns[0, 16, 2] = np.radians(-60)
    flat = turns.reshape(1, -1)
    return BodyParameters(
        body.name, betas[None].astype(np.float32), flat[:, :3], flat[:, 3:], np.zeros((1, 3), np.float32)
    )


shapes = [np.eye(10)[k] * value for k, value in ((0, -2.0), (0, 2.0), (1, -2.0), (1, 2.0))]
show(
    bodies(*(standing(shape) for shape in shapes)),
    ["first beta -2", "first beta +2", "second beta -2", "second beta +2"],
)
heights = [float(np.ptp(body.rest_vertices(torch.from_numpy(s[None]).float())[0, :, 1].numpy())) for s in shapes]
print("heights:", [f"{height:.2f} m" for height in heights])
assert max(heights) - min(heights) > 0.1

# %%
show(
    bodies(*(standing(np.zeros(10), knee, arm) for knee, arm in ((0, 0), (60, 60), (110, 140)))),
    ["at ease", "knee and arm 60 degrees", "knee 110, arm 140 degrees"],
)

# %% [markdown]
# In Jupyter the sliders below move the body; on a page you see its first position.

# %%
from ipywidgets import FloatSlider, Output, VBox

sliders = {
    "first beta": FloatSlider(0, min=-3, max=3, description="beta 1", continuous_update=False),
    "knee": FloatSlider(40, min=0, max=140, description="knee, deg", continuous_update=False),
    "arm": FloatSlider(80, min=0, max=170, description="arm, deg", continuous_update=False),
}
screen = Output()


def redraw(_: object = None) -> None:
    """Draw the body that the sliders describe."""
    betas = sliders["first beta"].value * np.eye(10)[0]
    with screen:
        screen.clear_output(wait=True)
        show(bodies(standing(betas, sliders["knee"].value, sliders["arm"].value)))
        plt.show()


for slider in sliders.values():
    slider.observe(redraw, "value")
redraw()
VBox([*sliders.values(), screen])

# %% [markdown]
# ## Landmarks without a skin
#
# The student is compared with 17 joints, and it would be a waste to pose 7,000 vertices for that. A landmark is a fixed average of
# skin, and skinning is linear, so the average can be taken *once*, before posing: 24 numbers of each landmark per joint. The
# library does that (`posenet3d/body/landmarks.py`), and it is exact:

# %%
landmarks = landmarks_of(body)
by_skin = torch.from_numpy(body.arrays.regressors["h36m17"] @ library.numpy()).float()
without = landmarks(rotations, betas[None])[0]
print(f"the same landmarks within {1000 * (by_skin - without).abs().max():.4f} mm")
assert torch.allclose(by_skin, without, atol=1e-5)

# %% [markdown]
# ## Distillation
#
# The student sees the same windows of 2D as the teacher and answers with rotations, a shape and a distance; its landmarks must lie
# where the teacher's joints lie, and on the rays. No mocap, no 3D: all it knows of depth it has from the teacher.
#
# **Predict:** can a student be better than its teacher?

# %%
training = [synthetic_sequence(motion, seed=n, azimuth_deg=45.0 * n) for motion in MOTIONS for n in range(8)]
unseen = [synthetic_sequence(motion, seed=99, azimuth_deg=45.0 * n + 20) for n, motion in enumerate(MOTIONS)]
folder = Path(tempfile.mkdtemp()) / "student"
settings = override(
    StudentTraining(),
    [
        "model.width=160",
        "model.blocks=2",
        "frame_steps=300",
        "temporal_steps=40",
        "frame_batch=128",
        "temporal_batch=12",
    ],
)
train_student(training, settings, folder, teacher_run=find_checkpoint("teacher"))
log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
plot, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
for name in ("distillation", "reprojection"):
    points = [(line["step"], line[name]) for line in log if line["phase"] == "frame" and name in line]
    axes.semilogy(*zip(*points, strict=True), label=name)
axes.set_xlabel("step")
axes.legend()

# %%
lifters = {
    "its teacher": p3.Lifter.load("teacher"),
    "small student": p3.Lifter.load(folder, model="student"),
    "bundled student": p3.Lifter.load("student", model="student"),
}
lifted = {name: lifter(unseen) for name, lifter in lifters.items()}
numbers = {}
for name, results in lifted.items():
    overall = p3.evaluate(results, unseen).overall
    drift = float(np.nanmean([bone_length_drift(result.joints_3d)[0].mean() for result in results]))
    numbers[name] = (overall["pa_mpjpe"], drift)
    print(f"{name:16} PA-MPJPE {overall['pa_mpjpe']:5.1f} mm   bones change by {drift:5.2f} %")
assert numbers["bundled student"][1] < numbers["its teacher"][1] / 3, "a body does not stretch"
assert numbers["small student"][0] < 1.5 * numbers["its teacher"][0]

# %% [markdown]
# A body does not stretch (what is left comes from the landmarks, which are averages of skin on either side of a joint). What the
# teacher explains with uneven bones the student must explain with a pose, and on noisy input that makes it the better of the two
# (`docs/results.md`: 51.9 against 54.5 mm before joint training).

# %%
kick = list(MOTIONS).index("kick")
shown = lifted["bundled student"][kick].body
frames = [20, 40, 52, 66]
show(bodies(shown.at(np.array(frames))), [f"frame {frame}" for frame in frames])

# %% [markdown]
# ## Exercises
#
# 1. Axis-angle has a jump (a turn by 180 degrees is a turn by -180 degrees), so the student predicts 6D rotations (two columns of
#    the matrix; Zhou et al., 2019). Find two nearly equal rotations with very different axis-angle vectors with `roma`.
# 2. Set `weights.shape=0` in the training above. What happens to the betas, and to the joints?
# 3. The student also says how far away the body stands. Which two numbers can never be told apart from one view, and what does the
#    library use to choose?
#
# Answers: [answers/04.md](answers/04.md). Next: [05_joint](05_joint.ipynb).
