"""Losses: hand arithmetic, order, invariance; every loss of the package is named here."""

import inspect

import pytest
import torch
from torch.autograd import gradcheck

from posenet3d.core.skeleton import BONES, JOINT
from posenet3d.losses import adversarial, bones, consistency
from posenet3d.synthetic.sequences import bundled_sequences
from posenet3d.training.denoiser import denoising_terms


@pytest.fixture(scope="module")
def walk() -> torch.Tensor:
    clip = bundled_sequences()[0]
    pose = torch.from_numpy(clip.joints_3d[:9])[None]
    return pose - pose[:, :, :1]


def test_every_loss_is_tested_here():
    source = inspect.getsource(inspect.getmodule(test_every_loss_is_tested_here))
    for module in (adversarial, bones, consistency):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__:
                assert f"{module.__name__.split('.')[-1]}.{name}(" in source, name


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


def test_cleaning_terms_rank_estimates():
    true = torch.randn(2, 1, 17, 2) + torch.linspace(0, 1, 20)[None, :, None, None]
    noise = 0.05 * torch.randn(true.shape)
    good, bad = (
        denoising_terms(true + 0.1 * noise, true + noise, true),
        denoising_terms(true + noise, true + noise, true),
    )
    assert (good["position"] < bad["position"]).all()
    assert (good["acceleration"] < bad["acceleration"]).all()
