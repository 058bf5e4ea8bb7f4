"""A population of adults: random settings of MakeHuman's sliders, and the base mesh morphed by them."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import scipy.sparse as sp

from body_recipe.assets import FLIP, Assets

ORIGINS, GENDERS, AGES = ("african", "asian", "caucasian"), ("male", "female"), ("young", "old")
MUSCLE, WEIGHT = ("minmuscle", "averagemuscle", "maxmuscle"), ("minweight", "averageweight", "maxweight")
HEIGHT, PROPORTIONS = ("minheight", "maxheight"), ("idealproportions", "uncommonproportions")
CUP, FIRMNESS = ("mincup", "averagecup", "maxcup"), ("minfirmness", "averagefirmness", "maxfirmness")

# Local measures with their spread (share of MakeHuman's full range). Those that move joints vary less than girths do.
LOCAL = {
    "legs/measure-upperleg-height": 0.13, "legs/measure-lowerleg-height": 0.13, "arms/measure-upperarm-length": 0.25,
    "arms/measure-lowerarm-length": 0.25, "torso/measure-shoulder-dist": 0.25, "torso/measure-hips-circ": 0.25,
    "torso/measure-waist-circ": 0.25, "torso/torso-scale-vert": 0.13, "neck/measure-neck-height": 0.25,
    "stomach/stomach-tone": 0.25, "buttocks/buttocks-volume": 0.25, "torso/torso-vshape": 0.25,
    "torso/torso-scale-depth": 0.25, "torso/measure-napetowaist-dist": 0.13, "legs/measure-thigh-circ": 0.25,
    "legs/measure-calf-circ": 0.25, "arms/measure-upperarm-circ": 0.25, "torso/measure-bust-circ": 0.25,
}  # fmt: skip

MODEST = ("breast/nipple-size-decr", "breast/nipple-point-decr")
"""Applied to everyone by half, for a body that wears a top; in full they leave dents."""

Sliders = dict[str, np.ndarray]
"""Slider name to (people,) in 0..1; 'origin' is (people, 3); a local measure runs from -1 to 1."""


def draw_sliders(people: int, rng: np.random.Generator) -> Sliders:
    """Hand-set spreads that give adults of 1.67 m +- 0.08 m with a body mass index around 24; not a survey."""
    female = np.where(np.arange(people) % 2 == 0, rng.beta(1.2, 14, people), 1 - rng.beta(1.2, 14, people))

    def around(mean: float, spread: float) -> np.ndarray:
        return np.clip(rng.normal(mean, spread, people), 0, 1)

    sliders = {
        "gender": female,
        "age": rng.beta(1.0, 1.8, people),  # 0 is 25 years, 1 is 90
        "muscle": around(0.33, 0.17),
        "weight": np.clip(rng.gamma(9, 0.072, people) + 0.12 * female, 0, 1),
        "height": around(0.5, 0.042),
        "proportions": around(0.4, 0.18),
        "cup": around(0.4, 0.15),
        "firmness": around(0.45, 0.15),
        "origin": rng.dirichlet([0.8, 0.8, 0.8], people),
    }
    for name, spread in LOCAL.items():
        sliders[name] = np.clip(rng.normal(0, spread, people), -1, 1)
    return sliders


def morph(assets: Assets, sliders: Sliders) -> np.ndarray:
    """Base meshes (people, vertices, 3) in metres, exactly symmetric."""
    rows, coefficients = [], []
    for name, coefficient in _coefficients(sliders):
        target = assets.target(name) if coefficient.any() else None
        if target is not None:
            rows.append(target)
            coefficients.append(coefficient)
    offsets = (sp.vstack(rows).T @ np.stack(coefficients)).T
    bodies = assets.vertices + offsets.reshape(len(offsets), -1, 3)
    return 0.5 * (bodies + bodies[:, assets.mirror] * FLIP)


def _coefficients(sliders: Sliders) -> Iterator[tuple[str, np.ndarray]]:
    """(target name, its coefficient per person): MakeHuman's macro targets are products of its sliders' weights."""
    share = {
        **_between(sliders["gender"], GENDERS), **_between(sliders["age"], AGES),
        **_between(sliders["muscle"], MUSCLE), **_between(sliders["weight"], WEIGHT),
        **_between(sliders["cup"], CUP), **_between(sliders["firmness"], FIRMNESS),
        **_ends(sliders["height"], HEIGHT), **_ends(sliders["proportions"], PROPORTIONS),
        **dict(zip(ORIGINS, sliders["origin"].T, strict=True)),
    }  # fmt: skip

    def coefficient(*names: str) -> np.ndarray:
        return np.prod([share[name] for name in names], axis=0)

    for folder, *names in _macro_targets():
        yield f"{folder}{'-'.join(names)}", coefficient(*(n for n in names if n != "universal"))
    for name in MODEST:
        yield name, np.full(len(sliders["gender"]), 0.5)
    for name in LOCAL:
        yield f"{name}-incr", np.maximum(sliders[name], 0)
        yield f"{name}-decr", np.maximum(-sliders[name], 0)


def _macro_targets() -> Iterator[tuple[str, ...]]:
    """Folder of each macro target, then the slider anchors that make up its name."""
    for kind in product(GENDERS, AGES):
        yield from (("macrodetails/", origin, *kind) for origin in ORIGINS)
        for build in product(MUSCLE, WEIGHT):
            names = (*kind, *build)
            yield ("macrodetails/", "universal", *names)
            yield from (("macrodetails/height/", *names, end) for end in HEIGHT)
            yield from (("macrodetails/proportions/", *names, end) for end in PROPORTIONS)
            if kind[0] == "female":
                yield from (("breast/", *names, *bust) for bust in product(CUP, FIRMNESS))


def _between(value: np.ndarray, anchors: tuple[str, ...]) -> Sliders:
    """Linear interpolation weights on anchors spaced evenly over 0..1."""
    position = value * (len(anchors) - 1)
    return {name: np.maximum(1 - np.abs(position - index), 0) for index, name in enumerate(anchors)}


def _ends(value: np.ndarray, anchors: tuple[str, str]) -> Sliders:
    """MakeHuman's rule for height and proportions: the middle, 0.5, has no target."""
    return {anchors[0]: np.maximum(1 - 2 * value, 0), anchors[1]: np.maximum(2 * value - 1, 0)}
