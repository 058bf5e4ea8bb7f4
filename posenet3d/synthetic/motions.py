"""Eight everyday motions: functions of time that return the curves of a `posenet3d.synthetic.stick_figure.Motion`."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.interpolate import BPoly

from posenet3d.synthetic.stick_figure import ANKLE_HEIGHT, STANDING_HEIGHT, Motion

Times = Float[np.ndarray, " frames"]
Trajectory = Callable[[Times], tuple[Times, Times, Times]]  # x, z (m) and yaw (rad) over time
Point = tuple[float | int, ...]  # second, height (m), speed, acceleration

# --- curves ---


def _keys(times: Times, *keys: tuple[float | int, ...]) -> np.ndarray:
    """Interpolate the keys ``(second, value, ...)`` with minimum-jerk segments that rest at each key.

    Source: Flash and Hogan, 1985. After the last key its value is kept.

    Returns:
        (frames,) for one value per key, otherwise (frames, values).
    """
    moments = np.array([key[0] for key in keys], float)
    values = np.array([key[1:] for key in keys], float)
    at_rest = np.zeros_like(values)
    curve = BPoly.from_derivatives(moments, np.stack([values, at_rest, at_rest], 1))(
        times.clip(moments[0], moments[-1])
    )
    return curve[:, 0] if curve.shape[1] == 1 else curve


def _sway(times: Times, rng: np.random.Generator, amplitude: float) -> Times:
    """Return the slow sway of a standing person: three sines below 0.6 Hz with random phases."""
    hz, phases = np.array([0.17, 0.31, 0.53]), rng.uniform(0, 2 * np.pi, 3)
    return amplitude * np.sin(2 * np.pi * hz * times[:, None] + phases).mean(1)


def _columns(times: Times, *curves: Times | float | int) -> np.ndarray:
    """Stack curves and constants as columns (frames, curves)."""
    return np.stack([np.broadcast_to(np.asarray(curve, float), times.shape) for curve in curves], -1)


def _standing(times: Times, rng: np.random.Generator) -> Motion:
    """Stand at ease: feet slightly apart, arms hanging, with sway; every motion starts from this."""
    sway = [_sway(times, rng, a) for a in (0.02, 0.012, 3.0, 2.0, 5.0, 5.0, 4.0, 4.0)]
    return Motion(
        pelvis=_columns(times, sway[0], STANDING_HEIGHT - 0.008, sway[1]),
        pelvis_deg=_columns(times, 0, 0, 0),
        l_ankle=_columns(times, 0.15, ANKLE_HEIGHT, -0.02),
        r_ankle=_columns(times, -0.15, ANKLE_HEIGHT, 0.03),
        trunk_deg=_columns(times, 4 + sway[2], sway[3], 0),
        head_deg=_columns(times, -2, 0, 2 * sway[4]),
        l_arm_deg=_columns(times, 2 + sway[6], 8, -20, 15 + sway[5]),
        r_arm_deg=_columns(times, 2 + sway[7], 8, -20, 15 - sway[5]),
    )


# --- motions ---

STRIDE_S = 1.05  # two steps
STANCE = 0.62  # share of the stride with the foot on the ground (Perry, Gait Analysis, 1992)
RISE, HEEL_OFF = (
    0.36,
    0.55,
)  # the heel leaves before the toes: the ankle rises, then rolls over the ball of the foot


def _walk(times: Times, rng: np.random.Generator) -> Motion:
    """Walk once around a circle at an easy 0.86 m/s."""
    radius, duration = 1.1, 8.0
    heading = 2 * np.pi / duration

    def path(t: Times) -> tuple[Times, Times, Times]:
        yaw = heading * t
        return radius * (1 - np.cos(yaw)) - radius, radius * np.sin(yaw), yaw

    return _gait(times, rng, path, lift=0.10, swing_deg=24.0)


def _turn(times: Times, rng: np.random.Generator) -> Motion:
    """Turn around once on the spot in small steps."""

    def path(t: Times) -> tuple[Times, Times, Times]:
        return 0 * t, 0 * t, np.radians(_keys(t, (0.4, 0), (5.6, 360)))

    return _gait(times, rng, path, lift=0.07, swing_deg=7.0)


def _gait(times: Times, rng: np.random.Generator, path: Trajectory, lift: float, swing_deg: float) -> Motion:
    """Step along a path of (x, z, yaw) over time: each foot is put where the body will be at the middle of its stance."""
    stride = times / STRIDE_S
    x, z, yaw = path(times)
    # Highest, and over the standing foot, in the middle of each stance (0.31 of a stride after the heel came down).
    left = 2 * np.pi * (stride - STANCE / 2)
    ahead = np.cos(2 * np.pi * stride)  # 1 when the left heel comes down
    across = 0.022 * np.cos(left)
    pelvis = _columns(
        times, x + across * np.cos(yaw), STANDING_HEIGHT - 0.062 + 0.018 * np.cos(2 * left), z - across * np.sin(yaw)
    )
    scale = swing_deg / 24
    nod = _sway(times, rng, 2.0)
    return replace(
        _standing(times, rng),
        pelvis=pelvis,
        pelvis_deg=_columns(times, 2, -2.5 * np.cos(left), np.degrees(yaw) - 5 * scale * ahead),
        l_ankle=_footsteps(times, path, lift, 0.085, delay=0.0),
        r_ankle=_footsteps(times, path, lift, -0.085, delay=0.5),
        trunk_deg=_columns(times, 3 + nod, 2 * np.cos(left), 12 * scale * ahead),
        head_deg=_columns(times, -3, 0, -7 * scale * ahead),
        l_arm_deg=_columns(times, 4 - swing_deg * ahead, 7, -20, 22 - 10 * scale * ahead),
        r_arm_deg=_columns(times, 4 + swing_deg * ahead, 7, -20, 22 + 10 * scale * ahead),
        splay_deg=5.0,
    )


def _footsteps(
    times: Times, path: Trajectory, lift: float, offset: float, delay: float
) -> Float[np.ndarray, "frames 3"]:
    """Return the curve of one ankle, with footprints `offset` to the left of the path (m) and steps `delay` strides late."""
    stride = times / STRIDE_S + delay
    step = np.floor(stride)
    phase = stride - step

    def footprint(number: Times) -> Float[np.ndarray, "frames 2"]:
        x, z, yaw = path((number + STANCE / 2 - delay) * STRIDE_S)
        return np.stack([x + offset * np.cos(yaw), z - offset * np.sin(yaw)], -1)

    swing = ((phase - HEEL_OFF) / (1 - HEEL_OFF)).clip(0, 1)[:, None]
    carried = swing**3 * (10 - 15 * swing + 6 * swing**2)
    rising = ((phase - RISE) / (1 - RISE)).clip(0, 1)
    height = ANKLE_HEIGHT + lift * 64 * (rising * (1 - rising)) ** 3
    x, z = ((1 - carried) * footprint(step) + carried * footprint(step + 1)).T
    return np.stack([x, height, z], -1)


def _squat(times: Times, rng: np.random.Generator) -> Motion:
    """Squat twice, with the arms in front as a counterweight."""
    down = _keys(times, (0.5, 0), (1.6, 1), (1.9, 1), (2.9, 0), (3.3, 0), (4.3, 1), (4.6, 1), (5.6, 0))
    rest = _standing(times, rng)
    arm = _columns(times, 75 * down, 4 * down, 0, -5 * down)
    return replace(
        rest,
        pelvis=rest.pelvis - _columns(times, 0, 0.43 * down, 0.17 * down),
        pelvis_deg=_columns(times, 22 * down, 0, 0),
        l_ankle=_columns(times, 0.19, ANKLE_HEIGHT, 0),
        r_ankle=_columns(times, -0.19, ANKLE_HEIGHT, 0),
        trunk_deg=rest.trunk_deg + _columns(times, 20 * down, 0, 0),
        head_deg=rest.head_deg - _columns(times, 28 * down, 0, 0),
        l_arm_deg=rest.l_arm_deg + arm,
        r_arm_deg=rest.r_arm_deg + arm,
        splay_deg=20.0,
    )


def _wave(times: Times, rng: np.random.Generator) -> Motion:
    """Raise the right hand and wave."""
    up = _keys(times, (0.5, 0), (1.4, 1), (4.4, 1), (5.3, 0))
    waving = _keys(times, (1.2, 0), (1.8, 1), (4.0, 1), (4.6, 0)) * np.sin(2 * np.pi * 1.4 * times)
    rest = _standing(times, rng)
    raised = _columns(times, 20, 82, 88 + 24 * waving, 85 - 8 * waving)
    return replace(
        rest,
        trunk_deg=rest.trunk_deg + _columns(times, 0, 4 * up, 0),
        head_deg=rest.head_deg + _columns(times, 0, -4 * up, 3 * waving),
        r_arm_deg=rest.r_arm_deg + up[:, None] * (raised - rest.r_arm_deg),
    )


PUSH_OFF_S = 0.9
TAKEOFF_SPEED = 2.1  # m/s, a jump of 22 cm
LANDING_S = PUSH_OFF_S + 2 * TAKEOFF_SPEED / 9.81


def _jump(times: Times, rng: np.random.Generator) -> Motion:
    """Jump twice with a counter-movement; in the air the pelvis is in free fall, 9.81 m/s² downwards."""
    pelvis, ankle, crouch, reach = (np.zeros_like(times) for _ in range(4))
    for start in (0.6, 3.1):
        local = times - start
        low, lower = (0.55, -0.27, 0, 8), (LANDING_S + 0.27, -0.23, 0, 8)
        pelvis += _ballistic(local, [(0, 0, 0, 0), low, *_flight(0.085), lower, (2.3, 0, 0, 0)])
        # On tiptoe at take-off: the ankle is already up when the toes leave.
        ankle += _ballistic(local, [(PUSH_OFF_S - 0.12, 0, 0, 0), *_flight(0.11), (LANDING_S + 0.12, 0, 0, 0)])
        crouch += _keys(local, (0, 0), (0.5, 1), (0.95, 0), (1.15, 0), (1.6, 0.9), (2.3, 0))
        reach += _keys(local, (0, 0), (0.4, -0.35), (1.05, 1), (1.2, 1), (1.85, 0), (2.3, 0))
    rest = _standing(times, rng)
    arm = _columns(times, 105 * reach, 8 * reach, 0, 20 * reach**2)
    feet = _columns(times, 0, ankle, 0)
    return replace(
        rest,
        pelvis=rest.pelvis + _columns(times, 0, pelvis, -0.10 * crouch),
        pelvis_deg=_columns(times, 20 * crouch, 0, 0),
        l_ankle=_columns(times, 0.15, ANKLE_HEIGHT, 0) + feet,
        r_ankle=_columns(times, -0.15, ANKLE_HEIGHT, 0) + feet,
        trunk_deg=rest.trunk_deg + _columns(times, 18 * crouch - 5 * reach, 0, 0),
        head_deg=rest.head_deg - _columns(times, 20 * crouch, 0, 0),
        l_arm_deg=rest.l_arm_deg + arm,
        r_arm_deg=rest.r_arm_deg + arm,
        splay_deg=12.0,
    )


def _flight(height: float) -> list[Point]:
    """Return take-off and landing as (second, height, speed, acceleration)."""
    return [(PUSH_OFF_S, height, TAKEOFF_SPEED, -9.81), (LANDING_S, height, -TAKEOFF_SPEED, -9.81)]


def _ballistic(t: Times, rows: list[Point]) -> Times:
    """Interpolate (second, height, speed, acceleration) with quintics; between points of one parabola that is the parabola."""
    curve = np.array(rows)
    return BPoly.from_derivatives(curve[:, 0], curve[:, 1:])(t.clip(curve[0, 0], curve[-1, 0]))


def _sit(times: Times, rng: np.random.Generator) -> Motion:
    """Sit down on an invisible chair, pause, and stand up."""
    down = _keys(times, (0.6, 0), (2.0, 1), (4.2, 1), (5.6, 0))
    lean = _keys(times, (0.5, 0), (1.4, 1), (2.3, 0.1), (3.8, 0.1), (4.7, 1), (5.7, 0))
    rest = _standing(times, rng)
    arm = _columns(times, 32 * down, 0, -15 * down, 45 * down)
    return replace(
        rest,
        pelvis=rest.pelvis - _columns(times, 0, 0.44 * down, 0.36 * down - 0.05 * lean),
        pelvis_deg=_columns(times, 20 * lean - 6 * down, 0, 0),
        trunk_deg=rest.trunk_deg + _columns(times, 26 * lean, 0, 0),
        head_deg=rest.head_deg - _columns(times, 22 * lean, 0, 0),
        l_arm_deg=rest.l_arm_deg + arm,
        r_arm_deg=rest.r_arm_deg + arm,
    )


def _kick(times: Times, rng: np.random.Generator) -> Motion:
    """Kick a ball twice with the right foot."""
    rest = _standing(times, rng)
    back, forward = np.zeros_like(times), np.zeros_like(times)
    for start in (0.7, 3.2):
        local = times - start
        back += _keys(local, (0, 0), (0.55, 1), (0.95, 0))
        forward += _keys(local, (0.55, 0), (1.0, 1), (1.8, 0))
    swinging = back + forward
    foot = _columns(times, 0.03 * swinging, 0.24 * back + 0.36 * forward, -0.42 * back + 0.64 * forward)
    return replace(
        rest,
        pelvis=rest.pelvis + _columns(times, 0.075 * swinging, -0.02 * swinging, -0.02 * swinging),
        pelvis_deg=_columns(times, 8 * back - 9 * forward, 0, -12 * back + 14 * forward),
        r_ankle=rest.r_ankle + foot,
        trunk_deg=rest.trunk_deg + _columns(times, 4 * back + 10 * forward, 3 * swinging, 16 * back - 20 * forward),
        l_arm_deg=rest.l_arm_deg + _columns(times, -25 * back + 48 * forward, 30 * swinging, 0, 15 * swinging),
        r_arm_deg=rest.r_arm_deg + _columns(times, 25 * back - 32 * forward, 25 * swinging, 0, 10 * swinging),
    )


def _reach(times: Times, rng: np.random.Generator) -> Motion:
    """Pick something up from the floor with the left hand and put it on a high shelf."""
    down = _keys(times, (0.6, 0), (1.8, 1), (2.2, 1), (3.3, 0))
    up = _keys(times, (2.5, 0), (3.8, 1), (4.6, 1), (5.6, 0))
    rest = _standing(times, rng)
    return replace(
        rest,
        pelvis=rest.pelvis - _columns(times, 0, 0.36 * down - 0.004 * up, 0.13 * down),
        pelvis_deg=_columns(times, 38 * down, 0, 0),
        trunk_deg=rest.trunk_deg + _columns(times, 34 * down - 6 * up, -6 * up, -10 * down - 8 * up),
        head_deg=rest.head_deg + _columns(times, -10 * down - 14 * up, 0, 0),
        l_arm_deg=rest.l_arm_deg + _columns(times, 72 * down + 150 * up, 0, 12 * up, -5 * down + 8 * up),
        r_arm_deg=rest.r_arm_deg + _columns(times, 25 * down, 8 * down, 0, 25 * down),
        splay_deg=12.0,
    )


MOTIONS: dict[str, tuple[Callable[[Times, np.random.Generator], Motion], float]] = {
    "walk": (_walk, 8.0),
    "turn": (_turn, 6.0),
    "squat": (_squat, 6.2),
    "wave": (_wave, 6.0),
    "jump": (_jump, 5.8),
    "sit": (_sit, 6.2),
    "kick": (_kick, 5.6),
    "reach": (_reach, 6.2),
}
"""The motions by name, each with its duration in seconds."""
