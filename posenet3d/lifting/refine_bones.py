"""Per-clip refinement: change depth so that each bone keeps its median proportion of the clip in every frame.

A person's proportions do not change during a clip, and left and right agree; this needs no label. It costs a few milliseconds
per frame and is reported apart from the networks.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.core.normalise import unproject
from posenet3d.losses import bones

STEPS = 60
RATE = 0.01
ANCHOR = 4.0  # the network's depth is right more often than wrong: stay near it
SMOOTHNESS = 12.0  # per squared second difference of depth
_MAX_LOG_RATIO = 0.7  # a bone twice too long pulls no harder than one 1.6 times too long


def refine_bones(
    rays: Float[Tensor, "frames joints 2"], offsets: Float[Tensor, "frames joints"], unit: float
) -> Float[Tensor, "frames joints"]:
    """Return refined depth offsets (in units) of one clip; the pelvis stays at 0 and the 2D stays as it is."""

    def lengths_of(depth: Tensor) -> Tensor:
        return bones.lengths(unproject(rays, depth, unit))

    with torch.enable_grad():
        start = lengths_of(offsets)
        shares = (start / start.mean(-1, keepdim=True)).median(0).values
        shares = (shares + shares[bones.PARTNER]) / 2
        depth = offsets.clone().requires_grad_()
        size = start.mean(-1, keepdim=True).log().neg().requires_grad_()  # of each frame: distance is not part of it
        optimizer = torch.optim.Adam([depth, size], lr=RATE)
        for _ in range(STEPS):
            ratio = (lengths_of(depth) * size.exp() / shares).log().clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)
            loss = ratio.square().sum() + ANCHOR * (depth - offsets).square().sum()
            loss = loss + SMOOTHNESS * depth.diff(n=2, dim=0).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    refined = depth.detach()
    return refined - refined[:, :1]
