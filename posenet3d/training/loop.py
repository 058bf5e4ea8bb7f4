"""The training loop of every stage: phases of steps, progress, logs, state on disk, resume, several processes.

All randomness of a step comes from (seed, phase, step, rank), so a killed and resumed run equals an uninterrupted one.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.distributed as dist
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from posenet3d.core.threads import network_threads
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write, remove_leftovers
from posenet3d.renamed import current_name
from posenet3d.training.metrics_log import MetricsLog, written

_SEED_STRIDE = 1_000_003  # a prime, so that (seed, phase, step, rank) rarely collide


@runtime_checkable
class Phase(Protocol):
    """One part of a stage: its optimisers, and one step."""

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """The optimisers by name; part of the saved state."""
        ...

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Take step number `step` of the phase and return the raw losses, each a scalar."""
        ...

    def validate(self) -> dict[str, float]:
        """Return numbers on held-out 2D."""
        ...


@dataclass(frozen=True)
class PhasePlan:
    """Name and length of a phase; it is built when it begins."""

    name: str
    steps: int
    build: Callable[[], Phase]


@dataclass(frozen=True)
class LoopSettings:
    """The seed, and the intervals for logging, validation and checkpoints, in steps."""

    seed: int = 0
    log_every: int = 25
    validate_every: int = 500
    save_every: int = 250

    def __post_init__(self) -> None:
        if min(self.log_every, self.validate_every, self.save_every) < 1:
            raise ValueError("loop.log_every, loop.validate_every and loop.save_every must be at least 1")
        if not 0 <= self.seed < 2**31:
            raise ValueError("loop.seed must be from 0 to 2147483647")


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the weighted sum of the means of all terms; `weights` are by name.

    Raises:
        KeyError: a term has no weight.
    """
    missing = sorted(set(terms) - set(weights))
    if missing:
        raise KeyError(f"loss terms without a weight: {', '.join(missing)}")
    return sum((weights[name] * value.mean() for name, value in terms.items()), torch.zeros(()))


def optimizer_step(optimizer: Optimizer, loss: Tensor, max_grad_norm: float | None = None) -> None:
    """Take one optimiser step; gradients are averaged over processes and clipped to a total norm of `max_grad_norm`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if dist.is_initialized():
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    dist.all_reduce(parameter.grad)
                    parameter.grad /= dist.get_world_size()
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_grad_norm)
    optimizer.step()


def flat_then_cosine(progress: float, flat: float = 0.4, last: float = 0.03) -> float:
    """Return the learning-rate factor: 1 for the first `flat` of the phase, then a cosine down to `last`."""
    if progress < flat:
        return 1.0
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * (progress - flat) / (1 - flat)))


@network_threads()
def fit(
    modules: nn.Module,
    plans: list[PhasePlan],
    out: Path,
    settings: LoopSettings,
    *,
    resume: bool = False,
    exports: Mapping[str, Iterable[str]],
) -> None:
    """Train through all phases and write a run folder that can be resumed and loaded.

    Args:
        modules: a module with all networks whose weights are part of the state.
        plans: the phases, in order.
        out: run folder; ``state/`` and ``metrics.jsonl`` are written there.
        settings: seed and intervals.
        resume: continue from ``state/`` if it holds anything.
        exports: safetensors file name to the names of its modules; written at every save.
    """
    state = _resumed(out, exports) if resume else None
    first_phase, first_step = (state["phase"], state["step"]) if state else (0, 0)
    if state:
        _restore(modules, state, out)
    log = MetricsLog(out, is_main=_rank() == 0, keep_until=sum(p.steps for p in plans[:first_phase]) + first_step)
    for number, plan in enumerate(plans[first_phase:], first_phase):
        phase = plan.build()
        start = first_step if number == first_phase else 0
        if state and start:
            for name, optimizer in phase.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
        done_before = sum(p.steps for p in plans[:number])
        bar = tqdm(
            range(start, plan.steps),
            desc=plan.name,
            initial=start,
            total=plan.steps,
            disable=_rank() != 0,
            smoothing=0.05,
        )
        for step in bar:
            terms = _one_step(phase, settings.seed, number, step, plan.steps)
            log.add(terms)
            if (step + 1) % settings.log_every == 0 or step + 1 == plan.steps:
                means = log.write(plan.name, done_before + step + 1)
                bar.set_postfix(means)
                _check_finite(means, plan.name, step + 1)
            if (step + 1) % settings.validate_every == 0 or step + 1 == plan.steps:
                log.write_validation(plan.name, done_before + step + 1, phase.validate())
            if (step + 1) % settings.save_every == 0 or step + 1 == plan.steps:
                ends_phase = step + 1 == plan.steps
                position = (number + 1, 0) if ends_phase else (number, step + 1)
                _save(modules, phase, out, position, exports)
    log.close()
    if _rank() == 0:
        with written(out / "state" / "finished"):
            (out / "state" / "finished").touch()


def _one_step(phase: Phase, seed: int, number: int, step: int, steps: int) -> dict[str, Tensor]:
    for optimizer in phase.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * flat_then_cosine(step / steps)
    step_seed = (((seed * _SEED_STRIDE) + number) * _SEED_STRIDE + step) * 1009 + _rank()
    torch.manual_seed(step_seed % 2**63)  # dropout draws from the global generator
    return phase.train_step(step, torch.Generator().manual_seed(step_seed % 2**63))


def _check_finite(means: Mapping[str, float], phase: str, step: int) -> None:
    bad = sorted(name for name, value in means.items() if not math.isfinite(value))
    if bad:
        problem = f"the loss '{bad[0]}' is no longer a number at step {step} of phase '{phase}'"
        raise InputError("training", problem, "lower the learning rates (lr, lr_discriminator) or the weights")


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _save(
    modules: nn.Module, phase: Phase, out: Path, position: tuple[int, int], exports: Mapping[str, Iterable[str]]
) -> None:
    if _rank() != 0:
        return
    for file_name, names in exports.items():
        tensors: dict[str, Tensor] = {}
        for name in names:
            prefix = "" if len(list(names)) == 1 else f"{name}."
            tensors |= {
                prefix + key: value.contiguous() for key, value in modules.get_submodule(name).state_dict().items()
            }
        with atomic_write(out / file_name) as file:
            file.write(safetensors_bytes(tensors))
    state = {
        "phase": position[0],
        "step": position[1],
        "modules": modules.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in phase.optimizers.items()},
    }
    with atomic_write(out / "state" / "latest.pt") as file:
        torch.save(state, file)


def _resumed(out: Path, exports: Iterable[str]) -> dict[str, Any] | None:
    """Return the state to continue from, after removing the temporary files that a killed run left."""
    if _rank() == 0:
        remove_leftovers(out, [*exports, "metrics.jsonl", "config.json"])
        remove_leftovers(out / "state", ["latest.pt"])
    return _load_state(out)


def _load_state(out: Path) -> dict[str, Any] | None:
    path = out / "state" / "latest.pt"
    try:
        if not path.exists():
            return None
        if not path.is_file():
            raise InputError(path, "is not a plain file", "restore it, or start a new run with another --out")
        state = torch.load(path, weights_only=True)
        for part in ("modules", "optimizers"):
            state[part] = {current_name(name): value for name, value in state[part].items()}
    except InputError:
        raise
    except OSError as error:  # the state may be whole: nothing here may advise to delete it
        problem = f"cannot be read ({error.strerror or error})"
        raise InputError(path, problem, "make it readable, then resume again") from error
    except MemoryError as error:
        raise InputError(path, "does not fit into the memory", "make room, then resume again") from error
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        remedy = "restore a copy of it, or start a new run with another --out"
        raise InputError(path, "is not a readable training state", remedy) from error
    return state


def _restore(modules: nn.Module, state: dict[str, Any], out: Path) -> None:
    try:
        modules.load_state_dict(state["modules"])
    except (RuntimeError, KeyError, TypeError) as error:
        problem = "does not fit the networks that config.json describes"
        raise InputError(out / "state" / "latest.pt", problem, "restore config.json or start a new run") from error
