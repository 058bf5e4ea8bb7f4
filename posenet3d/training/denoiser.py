"""Phase 1 of the teacher: the denoiser learns to undo what `posenet3d.training.corruption` does to clean 2D."""

import torch
from torch import Tensor

from posenet3d.core.normalise import mirror
from posenet3d.models.denoiser import Denoiser, smooth
from posenet3d.training.clips import Clips, random_windows
from posenet3d.training.corruption import corrupt
from posenet3d.training.loop import optimizer_step, weighted_sum
from posenet3d.training.loss_term import compute, default_weights
from posenet3d.training.term_inputs import DenoiserInputs
from posenet3d.training.terms import DENOISER_TERMS


class DenoiserPhase:
    """Windows of clean 2D, corrupted anew at every step."""

    def __init__(self, denoiser: Denoiser, training: Clips, held_out: Clips, *, lr: float, batch: int, frames: int):
        self.denoiser, self.training, self.held_out = denoiser, training, held_out
        self.batch, self.offsets = batch, torch.arange(frames) - frames // 2
        self.device = next(denoiser.parameters()).device
        self.weights = default_weights(DENOISER_TERMS)
        self.optimizers = {"denoiser": torch.optim.Adam(denoiser.parameters(), lr=lr)}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Take one step; the losses are shares of the error that plain smoothing leaves."""
        losses = self._losses(self.training, self.batch, rng)
        optimizer_step(self.optimizers["denoiser"], weighted_sum(losses, self.weights))
        return {name: value.mean() for name, value in losses.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the same losses on held-out clips, with the same corruption every time."""
        losses = self._losses(self.held_out, 64, torch.Generator().manual_seed(0))
        return {name: float(value.mean()) for name, value in losses.items()}

    def _losses(self, clips: Clips, count: int, rng: torch.Generator) -> dict[str, Tensor]:
        clean = clips.rays[random_windows(clips, count, self.offsets, rng)]
        clean = mirror(clean) if torch.rand((), generator=rng) < 0.5 else clean
        noisy, confidence = corrupt(clean, rng)
        noisy, confidence, clean = noisy.to(self.device), confidence.to(self.device), clean.to(self.device)
        smoothed = smooth(noisy, confidence, self.denoiser.near)
        return compute(DENOISER_TERMS, DenoiserInputs(self.denoiser(noisy, confidence), smoothed, clean))
