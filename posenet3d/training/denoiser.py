"""Phase 0 of the teacher: the cleaner learns to undo what `data.corruption` does to clean 2D."""

import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.core.normalise import mirror
from posenet3d.models.denoiser import Denoiser, smooth
from posenet3d.training.clips import Clips, window_indices
from posenet3d.training.corruption import corrupt
from posenet3d.training.loop import optimizer_step, weighted_sum

_WEIGHTS = {"position": 1.0, "acceleration": 0.3}  # equal weights flatten real motion: smoothness is cheap to buy


def denoising_terms(
    cleaned: Float[Tensor, "clips frames joints 2"],
    smoothed: Float[Tensor, "clips frames joints 2"],
    true: Float[Tensor, "clips frames joints 2"],
) -> dict[str, Float[Tensor, " clips"]]:
    """Distance to the true 2D, and between second differences, as shares of what plain smoothing leaves.

    As shares, a clean clip (where smoothing only does harm) counts as much as a noisy one.
    """
    size = (true - true.mean(2, keepdim=True)).square().sum(-1).mean((1, 2)).sqrt()

    def position(estimate: Tensor) -> Tensor:
        return (estimate - true).square().sum(-1).add(1e-12).sqrt().mean((1, 2)) / size

    def acceleration(estimate: Tensor) -> Tensor:
        return (estimate - true).diff(n=2, dim=1).square().sum(-1).add(1e-12).sqrt().mean((1, 2)) / size

    return {
        "position": position(cleaned) / (position(smoothed) + 0.002),
        "acceleration": acceleration(cleaned) / (acceleration(smoothed) + 0.002),
    }


class DenoiserPhase:
    """Windows of clean 2D, corrupted anew at every step."""

    def __init__(self, cleaner: Denoiser, training: Clips, held_out: Clips, *, lr: float, batch: int, frames: int):
        self.cleaner, self.training, self.held_out = cleaner, training, held_out
        self.batch, self.offsets = batch, torch.arange(frames) - frames // 2
        self.device = next(cleaner.parameters()).device
        self.optimizers = {"cleaner": torch.optim.Adam(cleaner.parameters(), lr=lr)}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """One step; the terms are shares of what plain smoothing leaves."""
        terms = self._terms(self.training, self.batch, rng)
        optimizer_step(self.optimizers["cleaner"], weighted_sum(terms, _WEIGHTS))
        return {name: value.mean() for name, value in terms.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The same terms on held-out clips with the same corruption every time."""
        terms = self._terms(self.held_out, 64, torch.Generator().manual_seed(0))
        return {name: float(value.mean()) for name, value in terms.items()}

    def _terms(self, clips: Clips, count: int, rng: torch.Generator) -> dict[str, Tensor]:
        centres = torch.randint(len(clips.rays), (count,), generator=rng)
        true = clips.rays[window_indices(centres, clips, self.offsets)]
        true = mirror(true) if torch.rand((), generator=rng) < 0.5 else true
        noisy, confidence = corrupt(true, rng)
        noisy, confidence, true = noisy.to(self.device), confidence.to(self.device), true.to(self.device)
        smoothed = smooth(noisy, confidence, self.cleaner.near)
        return denoising_terms(self.cleaner(noisy, confidence), smoothed, true)
