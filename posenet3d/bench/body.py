"""Speed of the body's landmarks compared with smplx, measured in one run on this machine."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.layer import pose_rotations
from posenet3d.body.smplx_model import to_smplx

BATCH = 64


def body_bench(seconds: float) -> list[str]:
    """Time forward and backward of 17 landmarks, batch 64, by our table and through ``smplx.SMPL`` and the same regressor.

    Both start from axis-angle pose, betas and translation and return the gradients of all three. They run alternately, so
    that both have the same machine load. The minimum wall time of one call is reported.

    Args:
        seconds: approximate duration.

    Returns:
        Lines to print.
    """
    body = load_body()
    landmarks, peer = landmarks_of(body, "h36m17"), to_smplx(body, BATCH)
    regressor = torch.as_tensor(body.arrays.regressors["h36m17"].toarray(), dtype=torch.float32)
    random = torch.Generator().manual_seed(0)
    sizes = {"global_orient": 3, "body_pose": 69, "betas": 10, "transl": 3}
    inputs = {name: (0.3 * torch.randn(BATCH, n, generator=random)).requires_grad_() for name, n in sizes.items()}
    target = torch.randn(BATCH, len(regressor), 3, generator=random)

    def ours() -> Tensor:
        rotations = pose_rotations(inputs["global_orient"], inputs["body_pose"])
        return landmarks(rotations, inputs["betas"], inputs["transl"])

    def theirs() -> Tensor:
        return regressor @ peer(**inputs).vertices

    def step(points: Callable[[], Tensor]) -> tuple[Tensor, ...]:
        return torch.autograd.grad((points() - target).square().mean(), list(inputs.values()))

    gap = float((ours() - theirs()).detach().norm(dim=-1).max()) * 1e6
    fast, slow = _minimum_times([lambda: step(ours), lambda: step(theirs)], seconds)
    return [
        f"17 landmarks, batch {BATCH}, forward and backward           {1e3 * fast:9.2f} ms",
        f"the same through smplx.SMPL ({len(body.arrays.vertices):,} vertices)          {1e3 * slow:9.2f} ms",
        f"ratio                                                  {slow / fast:9.0f}   (they differ by {gap:.1f} um at most)",
    ]


def _minimum_times(calls: list[Callable[[], object]], seconds: float) -> list[float]:
    """Return the minimum wall time of each call; calls alternate, and the first round is a is_warm-up."""
    minimum = [float("inf")] * len(calls)
    deadline = time.monotonic() + seconds
    is_warm = False
    while time.monotonic() < deadline or min(minimum) == float("inf"):
        for index, call in enumerate(calls):
            for _ in range(10 if index == 0 else 1):
                began = time.perf_counter()
                call()
                if is_warm:
                    minimum[index] = min(minimum[index], time.perf_counter() - began)
        is_warm = True
    return minimum
