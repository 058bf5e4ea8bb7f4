"""The earlier method that the results are compared with, tiny but real: it learns, and it is measured as what it is."""

from dataclasses import replace

import numpy as np
import pytest

from posenet3d.config import override
from posenet3d.core.lifted import Lifted
from posenet3d.evaluation.ablation import _measure
from posenet3d.evaluation.evaluate import evaluate
from posenet3d.lifting.checkpoint import list_checkpoints
from posenet3d.synthetic.sequences import MOTIONS, synthetic_sequence
from posenet3d.training.baselines.chen2019 import Chen2019Training, lift_chen2019, load_chen2019, train_chen2019

SMALL = ["model.width=96", "model.blocks=1", "discriminator.width=96", "frame_batch=96", "frame_steps=400", "lr=1e-3",
         "lr_discriminator=6e-4"]  # fmt: skip


@pytest.fixture(scope="module")
def motions():
    return [synthetic_sequence(m, seed=s, azimuth_deg=45.0 * s).frames(0, 90) for m in MOTIONS for s in range(8)]


@pytest.fixture(scope="module")
def folder(motions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "earlier-0"
    train_chen2019(motions, override(Chen2019Training(), SMALL), folder)
    return folder


def test_it_beats_a_flat_figure_and_stays_out_of_the_list_of_lifters(motions, folder):
    network = load_chen2019(folder)
    lifted = [lift_chen2019(network, sequence) for sequence in motions]
    flat = [Lifted(s.name, np.concatenate([s.keypoints_px / 1e3, np.full((len(s), 17, 1), 5.0)], -1)) for s in motions]
    error, baseline = (evaluate(predictions, motions).overall.pa_mpjpe for predictions in (lifted, flat))
    assert error < 0.9 * baseline, (error, baseline)
    assert not any("earlier" in name for name in list_checkpoints(folder.parent))
    measured = _measure(folder, "earlier", {"dev": motions})
    assert measured["teacher"]["dev"]["pa_mpjpe"] == pytest.approx(error)


def test_frames_know_nothing_of_each_other_and_size_and_place_do_not_matter(motions, folder):
    network, sequence = load_chen2019(folder), motions[3]
    whole = lift_chen2019(network, sequence).joints_3d
    order = np.random.default_rng(0).permutation(len(sequence))
    mixed = replace(sequence, keypoints_px=sequence.keypoints_px[order])
    np.testing.assert_allclose(lift_chen2019(network, mixed).joints_3d, whole[order], atol=1e-5)
    moved = replace(sequence, keypoints_px=0.5 * sequence.keypoints_px + np.float32(40))
    np.testing.assert_allclose(lift_chen2019(network, moved).joints_3d, whole, atol=1e-4)


def test_a_joint_that_was_not_seen_lies_between_its_neighbours_in_time(motions, folder):
    sequence, network = motions[0], load_chen2019(folder)
    confidence = sequence.confidence.copy()
    confidence[10:13, 5] = 0
    px = lift_chen2019(network, replace(sequence, confidence=confidence)).cleaned_px
    before, after = sequence.keypoints_px[[9, 13], 5]
    np.testing.assert_allclose(px[10:13, 5], before + (after - before) * np.array([[0.25], [0.5], [0.75]]), atol=1e-2)
    confidence[:, 5] = 0
    assert np.isfinite(lift_chen2019(network, replace(sequence, confidence=confidence)).joints_3d).all()
