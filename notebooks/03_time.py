# %% [markdown]
# # 3 · Time: what neighbouring frames are good for
#
# **Question.** A detector's joints tremble. Each frame lifted by itself makes a figure that trembles in three dimensions. Is the
# cure simply to smooth, or does a network that sees a window of frames know something that a filter does not?

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
from pictures import row, skeleton_3d
from scipy.ndimage import gaussian_filter1d

import posenet3d as p3
from posenet3d.core.skeleton import JOINT
from posenet3d.evaluation import metrics
from posenet3d.evaluation.evaluate import errors_per_frame
from posenet3d.evaluation.motion import HUMAN_HZ, share_above, velocity_spectrum
from posenet3d.lifting.checkpoint import find_checkpoint, load_teacher
from posenet3d.lifting.single_frame import lift_single_frames
from posenet3d.losses import bones
from posenet3d.synthetic.detector_noise import with_detector_noise
from posenet3d.synthetic.sequences import synthetic_sequence

clean = synthetic_sequence("walk", distance=4.5, azimuth_deg=20.0)
noisy = with_detector_noise(clean, np.random.default_rng(0))
truth = clean.joints_3d.astype(np.float64)
moved = np.linalg.norm(noisy.keypoints_px - clean.keypoints_px, axis=-1)
print(
    f"the detector is off by {np.nanmedian(moved):.1f} px in the median, {np.nanpercentile(moved, 95):.1f} px in one of twenty"
)
print(f"joints that it did not see: {100 * (~noisy.is_observed).mean():.1f} %")

# %% [markdown]
# ## Frame by frame, and with time
#
# The teacher has two parts: one lifts a frame by itself, one corrects nine frames together (0.8 seconds), after a *cleaner* has
# gone over the 2D. We can ask the first part alone.

# %%
with_time = p3.Lifter.load("joint")([noisy])[0]
alone = lift_single_frames(load_teacher(find_checkpoint("joint")), noisy, with_time.joints_3d)
results = {"each frame alone": replace(with_time, joints_3d=alone.astype(np.float32)), "with time": with_time}
wrist = JOINT["r_wrist"]
seconds = np.arange(len(clean)) / clean.fps

plot, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
for name, result, colour in zip(results, results.values(), ("#bbbbbb", "#0072b2"), strict=True):
    axes.plot(seconds, metrics.clip_aligned(result.joints_3d, truth)[:, wrist, 1], color=colour, label=name)
axes.plot(seconds, (truth - truth[:, :1])[:, wrist, 1], "k:", label="the truth")
axes.set(xlabel="seconds", ylabel="right wrist below the pelvis, m")
axes.legend(ncols=3)

# %% [markdown]
# **Predict:** the error of a joint's *place* falls a little. By what factor does the error of its *acceleration* fall?

# %%
table = {}
for name, result in results.items():
    errors = errors_per_frame(result, clean)
    table[name] = {key: float(np.nanmean(errors[key])) for key in ("pa_mpjpe", "acceleration_error", "jitter")}
    print(f"{name:18}", "  ".join(f"{key} {value:6.1f}" for key, value in table[name].items()))
print(f"{'the truth':18} jitter {np.nanmean(metrics.jitter(truth)):.1f}: the aim is that, not 0")
before, after = table.values()
assert after["acceleration_error"] < before["acceleration_error"] / 5
assert after["pa_mpjpe"] < before["pa_mpjpe"]

# %% [markdown]
# ## The spectrum
#
# People move slowly: nearly all of the power of a walking body's velocity lies below 6 Hz. Noise does not know that.
#
# **Predict:** which of the two curves bends down like the truth's?

# %%
plot, axes = plt.subplots(figsize=(7, 3), layout="constrained")
above = {}
shown = {name: metrics.clip_aligned(result.joints_3d, truth) for name, result in results.items()}
for name, joints in {**shown, "the truth": metrics.root_relative(truth)}.items():
    frequency, power = velocity_spectrum(joints, clean.fps)  # joints with gaps are left out, never bridged
    above[name] = share_above(frequency, power)
    axes.semilogy(frequency, np.nanmean(power, axis=1), label=f"{name}: {above[name]:.1f} % above {HUMAN_HZ:.0f} Hz")
axes.set(xlabel="Hz", ylabel="power of velocity, (m/s)²/Hz")
axes.legend()
assert above["each frame alone"] > 5 * above["with time"]

# %% [markdown]
# ## Is it only smoothing?
#
# A Gaussian over time also lowers the tremor. It costs what is quick: a kicking foot, a landing. Let us smooth the frame-by-frame
# result more and more, on a kick, and watch both at once.
#
# **Predict:** is there a width of the Gaussian that is as near to the truth as the network, and as calm?

# %%
kick = synthetic_sequence("kick", distance=3.8, azimuth_deg=55.0)
noisy_kick = with_detector_noise(kick, np.random.default_rng(1))
true_kick = kick.joints_3d.astype(np.float64)
timed = p3.Lifter.load("joint")([noisy_kick])[0]
single = lift_single_frames(load_teacher(find_checkpoint("joint")), noisy_kick, timed.joints_3d)
bridged = np.where(np.isfinite(single), single, timed.joints_3d)  # a filter needs every frame
foot = JOINT["r_ankle"]


def numbers(joints: np.ndarray) -> tuple[float, float, float]:
    """Error, acceleration error, and the kicking foot's greatest speed."""
    errors = errors_per_frame(replace(timed, joints_3d=joints.astype(np.float32)), kick)
    speed = np.nanmax(metrics.speed(metrics.clip_aligned(joints, true_kick))[:, foot]) * kick.fps / metrics.MM
    return float(np.nanmean(errors["pa_mpjpe"])), float(np.nanmean(errors["acceleration_error"])), float(speed)


widths = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
smoothed = [numbers(gaussian_filter1d(bridged, width, axis=0) if width else bridged) for width in widths]
network = numbers(timed.joints_3d)
true_speed = float(np.nanmax(metrics.speed(metrics.root_relative(true_kick))[:, foot]) * kick.fps / metrics.MM)

plot, axes = plt.subplots(1, 2, figsize=(9.5, 3), layout="constrained")
axes[0].plot([s[1] for s in smoothed], [s[0] for s in smoothed], "o-", color="#999999", label="Gaussian, 0 to 6 frames")
axes[0].plot(network[1], network[0], "D", color="#0072b2", label="the network")
axes[0].set(xlabel="acceleration error, mm/frame²", ylabel="PA-MPJPE, mm", xscale="log")
axes[0].set_xticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
axes[0].minorticks_off()
axes[1].plot(widths, [s[2] for s in smoothed], "o-", color="#999999", label="Gaussian")
axes[1].axhline(network[2], color="#0072b2", label="the network")
axes[1].axhline(true_speed, color="k", linestyle=":", label="the truth")
axes[1].set(xlabel="width of the Gaussian, frames", ylabel="greatest speed of the foot, m/s")
for one in axes:
    one.legend()

# %%
as_calm = [s for s in smoothed if s[1] <= network[1]]
nearest = min((s[0] for s in as_calm), default=float("inf"))
print(f"the network: {network[0]:.1f} mm; the best Gaussian that is as calm: {nearest:.1f} mm")
assert network[0] < nearest, "the network is nearer to the truth than any filter that is as calm"

# %% [markdown]
# ## What the network knows: bones
#
# A filter treats every coordinate by itself. The temporal part was trained with the *bone constancy* loss (bones keep their
# length over time) and a discriminator that watches motion. Neither needs 3D.

# %%
lengths = {
    name: metrics.bone_lengths(np.where(np.isfinite(j), j, np.nan))
    for name, j in {"each frame alone": bridged, "with time": timed.joints_3d}.items()
}
shin = 2  # right knee to ankle
plot, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
for (name, length), colour in zip(lengths.items(), ("#bbbbbb", "#0072b2"), strict=True):
    axes.plot(np.arange(len(kick)) / kick.fps, 1000 * length[:, shin], color=colour, label=name)
axes.set(xlabel="seconds", ylabel="right shin, mm")
axes.legend()
constancy = {
    name: float(bones.constancy(torch.from_numpy(np.nan_to_num(j, nan=0.0))[None].float()))
    for name, j in {"each frame alone": bridged, "with time": timed.joints_3d}.items()
}
print({name: round(value, 4) for name, value in constancy.items()})
assert constancy["with time"] < constancy["each frame alone"]

# %% [markdown]
# And the two figures in one moment of the kick:

# %%
frame = int(np.nanargmax(metrics.speed(true_kick)[:, foot]))
plot, axes = row(3, is_3d=True)
for one, (name, joints) in zip(
    axes, {"the truth": true_kick, "each frame alone": bridged, "with time": timed.joints_3d}.items(), strict=True
):
    skeleton_3d(one, joints[frame], name, turn_deg=-20)

# %% [markdown]
# ## Exercises
#
# 1. A Savitzky-Golay filter keeps peaks better than a Gaussian (`scipy.signal.savgol_filter`). Add it to the plot. Does it reach
#    the network?
# 2. Halve the frame rate of the clip (`replace(noisy, keypoints_px=..., confidence=..., fps=15)`). The network was trained at 30
#    frames per second; how does the library cope, and what does it cost?
# 3. Why is a jitter of 0 a bad aim? Find a motion among `MOTIONS` whose own jitter is larger than the walk's.
#
# Answers: [answers/03.md](answers/03.md). Next: [04_student](04_student.ipynb).
