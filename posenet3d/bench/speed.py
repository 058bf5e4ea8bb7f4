"""Speed as ratios to named peers, measured in one run on this machine."""

import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from posenet3d.bench.body import body_bench
from posenet3d.bench.neighbour import neighbour_bench
from posenet3d.core.skeleton import N_JOINTS
from posenet3d.lifting.lifter import Lifter
from posenet3d.synthetic.sequences import bundled_sequences


class VideoPose3DNetwork(nn.Module):
    """VideoPose3D's network for 27 frames (Pavllo et al., CVPR 2019): the same layers with random weights.

    Three-tap convolutions with dilation 1, 3, 9 and 1,024 channels, run densely over the clip as its evaluation does.
    """

    def __init__(self, channels: int = 1024):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv1d(2 * N_JOINTS, channels, 3), nn.BatchNorm1d(channels), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(channels, channels, 3, dilation=d, bias=False), nn.BatchNorm1d(channels), nn.ReLU(),
                nn.Conv1d(channels, channels, 1, bias=False), nn.BatchNorm1d(channels), nn.ReLU(),
            )
            for d in (3, 9)
        )  # fmt: skip
        self.shrink = nn.Conv1d(channels, 3 * N_JOINTS, 1)

    def forward(self, keypoints: torch.Tensor) -> torch.Tensor:
        """Map (1, 34, frames + 26) to (1, 51, frames)."""
        hidden = self.expand(keypoints)
        for dilation, block in zip((3, 9), self.blocks, strict=True):
            hidden = hidden[:, :, dilation:-dilation] + block(hidden)
        return self.shrink(hidden)


def bench(seconds: float) -> None:
    """Print the lifting speed, compared with VideoPose3D's network, and the start-up time of the command line."""
    torch.set_num_threads(
        1
    )  # per CPU second: at these sizes a second thread mostly waits, and its waiting counts as CPU time
    print(f"torch {torch.__version__}, one thread")
    clip = bundled_sequences()[0]
    lifter = Lifter.load()
    peer = VideoPose3DNetwork().eval()
    padded = torch.zeros(1, 2 * N_JOINTS, len(clip) + 26)

    def run_peer() -> None:
        with torch.inference_mode():
            peer(padded)

    ours, theirs = interleaved(lambda: lifter([clip]), run_peer, seconds)
    ours, theirs = len(clip) / ours, len(clip) / theirs
    print(f"lifting, all steps: denoising, flip averaging, scale   {ours:9,.0f} frames per CPU second")
    print(f"VideoPose3D's network, 27 frames, flip averaging       {theirs / 2:9,.0f} frames per CPU second")
    print(f"ratio, both with flip averaging                        {2 * ours / theirs:9.2f}   (goal: 3)")
    print(f"ratio to the peer without flip averaging               {ours / theirs:9.2f}")

    for line in (*body_bench(seconds), *neighbour_bench(lifter, clip, seconds)):
        print(line)

    def start(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    help_s, bare_s = best_time(start("-m", "posenet3d", "--help"), 5), best_time(start("-c", "pass"), 5)
    print(f"posenet3d --help                                       {help_s:9.2f} s   (goal: below 0.5)")
    print(f"python -c pass                                         {bare_s:9.2f} s   ratio {help_s / bare_s:.1f}")


def interleaved(a: Callable[[], object], b: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Return the minimum CPU time of one call of each; calls alternate, so that both have the same machine load."""
    a(), b()
    best = [float("inf"), float("inf")]
    deadline = time.monotonic() + 2 * seconds
    while time.monotonic() < deadline:
        for index, call in enumerate((a, b)):
            began = time.process_time()
            call()
            best[index] = min(best[index], time.process_time() - began)
    return best[0], best[1]


def best_time(call: Callable[[], object], repeats: int) -> float:
    """Return the minimum wall time of one call."""
    times = []
    for _ in range(repeats):
        began = time.monotonic()
        call()
        times.append(time.monotonic() - began)
    return min(times)
