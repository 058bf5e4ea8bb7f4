"""Losses: hand arithmetic, gradients, degenerate inputs, order, invariance; every loss of the package is tested here."""

import importlib
import inspect
import pkgutil

import pytest
import roma
import torch
from torch.autograd import gradcheck

from posenet3d import losses
from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.skeleton import BONES, JOINT
from posenet3d.losses import adversarial, body, bones, consistency, denoising
from posenet3d.synthetic.sequences import bundled_sequences
from posenet3d.training import terms
from posenet3d.training.loss_term import compute
from posenet3d.training.term_inputs import DenoiserInputs


@pytest.fixture(scope="module")
def walk() -> torch.Tensor:
    clip = bundled_sequences()[0]
    pose = torch.from_numpy(clip.joints_3d[:9])[None]
    return pose - pose[:, :, :1]


def uniform(*shape: int) -> torch.Tensor:
    return 0.1 + 0.8 * torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)))


def poses(seed: int = 0) -> torch.Tensor:
    """Random windows (2, 4, 17, 3), with joints far enough from each other for finite differences."""
    return torch.randn(2, 4, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rotations() -> torch.Tensor:
    turns = torch.randn(2, 3, 24, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return roma.rotvec_to_rotmat(turns)


def views(seed: int = 0) -> torch.Tensor:
    return 0.1 * poses(seed)[..., :2]


def lift(rays: torch.Tensor) -> torch.Tensor:
    """Depth that depends on the 2D, as a network's does."""
    return rays.sum(-1)


TURN = roma.rotvec_to_rotmat(torch.tensor([[0.1, 0.7, 0.2], [0.0, -1.0, 0.1]], dtype=torch.float64))


def penalty(real: torch.Tensor) -> torch.Tensor:
    return adversarial.gradient_penalty(real.pow(3).flatten(1).sum(1), real)


LOSSES = {
    adversarial.generator_loss: (adversarial.generator_loss, (uniform(3),)),
    adversarial.discriminator_loss: (adversarial.discriminator_loss, (uniform(3), uniform(3) - 0.5)),
    adversarial.gradient_penalty: (penalty, (poses()[:, 0],)),
    body.wrong_bend: (body.wrong_bend, (poses(),)),
    body.away_from_rest: (body.away_from_rest, (rotations(),)),
    body.shape_size: (body.shape_size, (uniform(2, 10),)),
    body.shaking: (body.shaking, (poses(),)),
    bones.lengths: (bones.lengths, (poses(),)),
    bones.constancy: (bones.constancy, (poses(),)),
    bones.symmetry: (bones.symmetry, (poses(),)),
    bones.bending: (bones.bending, (poses(),)),
    consistency.project_pose: (consistency.project_pose, (0.1 * poses(),)),
    consistency.rotate: (consistency.rotate, (poses(), TURN)),
    consistency.cycle: (lambda rays: consistency.cycle(lift, rays, TURN, 0.1).reprojected, (views(),)),
    consistency.distance: (consistency.distance, (poses(), poses(1))),
    denoising.relative_position_error: (denoising.relative_position_error, (views(), views(1), views(2))),
    denoising.relative_acceleration_error: (denoising.relative_acceleration_error, (views(), views(1), views(2))),
}
"""Every function of `posenet3d.losses`: how it is called, and with which inputs."""


def every_loss() -> set:
    modules = [
        importlib.import_module(f"{losses.__name__}.{info.name}") for info in pkgutil.iter_modules(losses.__path__)
    ]
    return {
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_every_loss_is_tested_here():
    assert every_loss() == set(LOSSES)


@pytest.mark.parametrize(
    ("call", "inputs"),
    [
        case for function, case in LOSSES.items() if function is not consistency.cycle
    ],  # which stops a gradient on purpose
    ids=[function.__name__ for function in LOSSES if function is not consistency.cycle],
)
@pytest.mark.slow
def test_gradients_are_those_of_finite_differences(call, inputs):
    inputs = tuple(x.clone().requires_grad_() for x in inputs)
    assert gradcheck(call, inputs)


@pytest.mark.parametrize(("call", "inputs"), LOSSES.values(), ids=[f.__name__ for f in LOSSES])
def test_degenerate_inputs_give_finite_values_and_gradients(call, inputs):
    """All joints in one point, all frames alike, all scores 0: a square root or a share must not become NaN there.

    The denoiser's errors are relative to the clean 2D's size, which is not 0; all three inputs alike are its degenerate case.
    """
    is_relative = call in (denoising.relative_position_error, denoising.relative_acceleration_error)
    inputs = tuple((inputs[0].clone() if is_relative else torch.zeros_like(x)).requires_grad_() for x in inputs)
    value = call(*inputs)
    assert torch.isfinite(value).all()
    value.sum().backward()
    assert all(x.grad is None or torch.isfinite(x.grad).all() for x in inputs)


@pytest.mark.parametrize(("call", "inputs"), LOSSES.values(), ids=[f.__name__ for f in LOSSES])
def test_windows_do_not_mix(call, inputs):
    inputs = tuple(x.clone().requires_grad_() for x in inputs)
    whole = call(*inputs)
    if call is LOSSES[consistency.cycle][0]:
        parts = [consistency.cycle(lift, inputs[0][i : i + 1], TURN[i : i + 1], 0.1).reprojected for i in range(2)]
    else:
        parts = [call(*(x[i : i + 1] for x in inputs)) for i in range(len(inputs[0]))]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_wrong_bend_is_the_squared_sine_of_backward_bends_only():
    pose = poses()
    bend = bones.bending(pose)
    assert (bend < 0).any()
    assert (bend > 0).any()
    expected = torch.zeros(2, dtype=torch.float64)
    for window in range(2):
        for frame in range(4):
            expected[window] += sum(float(b) ** 2 for b in bend[window, frame] if b < 0) / 4
    torch.testing.assert_close(body.wrong_bend(pose), expected)


def test_distance_from_rest_weighs_undetermined_joints_more_and_leaves_the_root_free():
    rest = torch.eye(3, dtype=torch.float64).repeat(1, 2, 24, 1, 1)
    assert float(body.away_from_rest(rest)) == 0
    half_turn = torch.diag(torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64))  # |R - 1|² = 8

    def turned(joint: str) -> float:
        rotations = rest.clone()
        rotations[:, :, JOINT_SETS["smpl24"].joints.index(joint)] = half_turn
        return float(body.away_from_rest(rotations))

    assert turned("pelvis_joint") == 0
    assert turned("l_knee") == pytest.approx(0.05 * 8 / 23)
    for joint in ("l_foot", "r_hand", "spine2", "neck_joint", "l_collar"):
        assert turned(joint) == pytest.approx(8 / 23), joint


def test_shape_size_and_shaking_by_hand():
    betas = torch.tensor([[2.0] * 10, [1.0, -1.0] * 5])
    torch.testing.assert_close(body.shape_size(betas), torch.tensor([4.0, 1.0]))
    time = torch.arange(6.0)[None, :, None, None]
    steady = time * torch.ones(1, 6, 17, 3)
    assert float(body.shaking(steady)) < 1e-4
    falling = 0.5 * time.square() * torch.tensor([0.0, 3.0, 4.0]) * torch.ones(1, 6, 17, 3)
    assert float(body.shaking(falling)) == pytest.approx(5.0, rel=1e-5)


def test_distance_by_hand():
    a = torch.zeros(2, 1, 17, 3)
    b = a.clone()
    b[1, 0, 3] = torch.tensor([3.0, 4.0, 0.0])
    torch.testing.assert_close(consistency.distance(a, b), torch.tensor([0.0, 5 / 17]), atol=1e-4, rtol=0)


def test_rotating_about_the_vertical_and_back_changes_nothing_but_the_view():
    pose = torch.randn(2, 3, 17, 3)
    about_y = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]]).repeat(2, 1, 1)
    turned = consistency.rotate(pose, about_y)
    assert torch.equal(turned[..., 0], pose[..., 2])
    assert torch.equal(turned[..., 1], pose[..., 1])
    assert torch.equal(consistency.rotate(turned, about_y.mT), pose)


def test_projection_and_cycle_keep_an_unturned_pose():
    pose = 0.05 * torch.randn(2, 3, 17, 3)
    pose = pose - pose[:, :, :1]
    rays = consistency.project_pose(pose)
    eye = torch.eye(3).expand(2, 3, 3)
    loop = consistency.cycle(lambda r: pose[..., 2] / 0.1, rays, eye, 0.1)
    torch.testing.assert_close(loop.reprojected, rays, atol=1e-5, rtol=0)


def test_adversarial_by_hand():
    torch.testing.assert_close(adversarial.generator_loss(torch.tensor([1.0, 0.0])), torch.tensor([0.0, 1.0]))
    told = adversarial.discriminator_loss(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(told, torch.tensor([0.0, 1.0]))
    real = torch.randn(3, 17, 2, requires_grad=True)
    slope = adversarial.gradient_penalty(2 * real.flatten(1).sum(1), real)
    torch.testing.assert_close(slope, torch.full((3,), 0.5 * 4 * 34))


def test_bone_lengths_and_gradient():
    pose = torch.randn(1, 2, 17, 3, dtype=torch.float64, requires_grad=True)
    parent, child = BONES[4]
    torch.testing.assert_close(bones.lengths(pose)[0, 0, 4], (pose[0, 0, child] - pose[0, 0, parent]).norm())
    assert gradcheck(lambda p: bones.constancy(p) + bones.symmetry(p), (pose,))


def test_constancy_is_zero_for_a_body_and_grows_with_stretching(walk):
    stretched = walk * torch.linspace(0.9, 1.1, walk.shape[1])[None, :, None, None]
    shaking = walk + 0.02 * torch.randn(walk.shape)
    assert float(bones.constancy(walk)) < 1e-6 < float(bones.constancy(stretched))
    assert float(bones.constancy(shaking)) > 1e-3


def test_symmetry_sees_a_short_arm_only(walk):
    short = walk.clone()
    short[..., JOINT["l_wrist"], :] = short[..., JOINT["l_elbow"], :]
    assert float(bones.symmetry(walk)) < 1e-6 < float(bones.symmetry(short))


@pytest.mark.parametrize("clip", bundled_sequences()[:8], ids=lambda c: c.name)
def test_people_bend_the_right_way_and_mirrored_depth_does_not(clip):
    pose = torch.from_numpy(clip.joints_3d)
    pose = pose - pose[:, :1]
    bend = bones.bending(pose)
    clear = bend.abs() > 0.1
    assert float((bend[clear] > 0).float().mean()) > 0.95
    turned_over = pose * torch.tensor([1.0, 1.0, -1.0])
    torch.testing.assert_close(bones.bending(turned_over), -bend)


def test_denoising_terms_rank_estimates():
    true = torch.randn(2, 1, 17, 2) + torch.linspace(0, 1, 20)[None, :, None, None]
    noise = 0.05 * torch.randn(true.shape)
    good, bad = (
        compute(terms.DENOISER_TERMS, DenoiserInputs(true + 0.1 * noise, true + noise, true)),
        compute(terms.DENOISER_TERMS, DenoiserInputs(true + noise, true + noise, true)),
    )
    assert (good["position"] < bad["position"]).all()
    assert (good["acceleration"] < bad["acceleration"]).all()
