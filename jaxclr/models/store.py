"""Weights of a finished run as one file of named arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxclr.errors import InputError
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


def read_own(
    path: Path, arrays: Mapping[str, np.ndarray], params: PyTree, stats: PyTree
) -> tuple[PyTree, PyTree]:
    """The arrays laid out as a network's; what follows the backbone is left as it is.

    Args:
        path: Where the arrays were read, for messages.
        arrays: As :func:`write_own` wrote them.
        params: The network's.
        stats: The network's.

    Raises:
        InputError: An array of the backbone is missing, or of another shape.
    """

    def filled(kind: str, tree: PyTree) -> PyTree:
        named = _named(kind, tree)
        for name, leaf in named.items():
            if not name.startswith(f"{kind}/backbone/"):
                continue
            if name not in arrays or arrays[name].shape != leaf.shape:
                found = arrays[name].shape if name in arrays else "missing"
                raise InputError(
                    f"{path} does not fit the model: {name} must be of shape {leaf.shape} and is "
                    f"{found}. Give the model that the weights were trained with."
                )
            named[name] = arrays[name]
        return jax.tree.unflatten(jax.tree.structure(tree), list(named.values()))

    return filled(PARAMS, params), filled(STATS, stats)


def _named(kind: str, tree: PyTree) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        "/".join((kind, *(str(key.key) for key in path))): np.asarray(leaf) for path, leaf in leaves
    }
