"""Weights of a finished run as one file of named arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxclr.errors import InputError
from jaxclr.models.weights import Loaded
from jaxclr.pipeline.atomic import replacing

PARAMS, STATS = "params", "stats"


def write_own(path: Path, params: PyTree, stats: PyTree) -> None:
    """Writes ``.npz`` with names such as ``params/backbone/conv1/kernel``, whole or not at all."""
    arrays: dict[str, Any] = {**_named(PARAMS, params), **_named(STATS, stats)}
    with replacing(path) as file:
        np.savez(file, **arrays)


def is_own(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the names are those of :func:`write_own`."""
    return any(name.startswith(f"{PARAMS}/") for name in arrays)


def read_own(path: Path, arrays: Mapping[str, np.ndarray], params: PyTree, stats: PyTree) -> Loaded:
    """The arrays laid out as a network's; of what follows the backbone, only a head that fits.

    Args:
        path: Where the arrays were read, for messages.
        arrays: As :func:`write_own` wrote them.
        params: The network's.
        stats: The network's.

    Raises:
        InputError: An array of the backbone is missing, left over, or of another shape.
    """
    wanted = {PARAMS: _named(PARAMS, params), STATS: _named(STATS, stats)}
    every = wanted[PARAMS] | wanted[STATS]
    if wrong := _misfits("backbone", arrays, every):
        raise InputError(
            f"{path} does not fit the model: {'; '.join(wrong)}. Give the model that the weights "
            "were trained with."
        )
    head = _misfits("head", arrays, every)
    taken = [n for n in every if _part(n) == "backbone" or (_part(n) == "head" and not head)]

    found = {n: arrays[n] for n in taken}
    counts = [
        f"{sum(leaf.size for n, leaf in of.items() if n in taken):,} of "
        f"{sum(leaf.size for leaf in of.values()):,}"
        for of in wanted.values()
    ]
    report = f"{counts[0]} parameters and {counts[1]} running statistics loaded."
    kept = f" The head stays as it is: {'; '.join(head)}." if head else ""
    return Loaded(_filled(PARAMS, params, found), _filled(STATS, stats, found), report + kept)


def read_all(
    path: Path, arrays: Mapping[str, np.ndarray], params: PyTree, stats: PyTree
) -> tuple[PyTree, PyTree]:
    """The arrays laid out as a network's, all of them.

    Args:
        path: Where the arrays were read, for messages.
        arrays: As :func:`write_own` wrote them.
        params: The network's.
        stats: The network's.

    Returns:
        Its trained parameters and running statistics.

    Raises:
        InputError: An array is missing, left over, or of another shape.
    """
    every = _named(PARAMS, params) | _named(STATS, stats)
    parts = {_part(name) for name in arrays.keys() | every.keys()}
    if wrong := [text for part in sorted(parts) for text in _misfits(part, arrays, every)]:
        raise InputError(
            f"{path} does not hold the weights of the experiment beside it: {'; '.join(wrong)}."
        )
    return _filled(PARAMS, params, arrays), _filled(STATS, stats, arrays)


def _filled(kind: str, tree: PyTree, arrays: Mapping[str, np.ndarray]) -> PyTree:
    """The tree with the arrays of its names put in; what has none stays."""
    leaves = [arrays.get(name, leaf) for name, leaf in _named(kind, tree).items()]
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)


def _part(name: str) -> str:
    """Whether an array is of the backbone, the head, or something else."""
    return name.partition("/")[2].partition("/")[0]


def _misfits(
    part: str, arrays: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]
) -> list[str]:
    """What of a part is missing, left over, or of another shape."""
    found = []
    for name in sorted(n for n in arrays.keys() | wanted.keys() if _part(n) == part):
        if name not in wanted:
            found.append(f"{name} is left over")
        elif name not in arrays or arrays[name].shape != wanted[name].shape:
            there = arrays[name].shape if name in arrays else "missing"
            found.append(f"{name} must be of shape {wanted[name].shape} and is {there}")
    return found


def _named(kind: str, tree: PyTree) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        "/".join((kind, *(str(key.key) for key in path))): np.asarray(leaf) for path, leaf in leaves
    }
