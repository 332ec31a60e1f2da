"""A network's weights under the names that torchvision or timm give them."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree, Shaped

from jaxclr.models.weights import Naming


class ForTorch(NamedTuple):
    """What a network of torchvision or timm loads, and what it has no place for."""

    arrays: dict[str, Shaped[np.ndarray, "..."]]
    """By the names there, kernels as ``[out, in, h, w]``, linear weights as ``[out, in]``."""
    nameless: tuple[str, ...]
    """The others, such as ``projector/hidden/kernel``."""


def for_torch(params: PyTree, stats: PyTree, naming: Naming) -> ForTorch:
    """Names weights as files of torch do: what :func:`jaxclr.models.weights.load` reads back.

    Running statistics are those of all domains together, as batch norm uses them in testing, and
    as torch's does after ``eval()``.

    Args:
        params: A network's parameters.
        stats: Its running statistics.
        naming: How its files name them.
    """
    arrays, nameless = {}, []
    for tree in (params, stats):
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if name := naming.name(path):
                arrays[name] = _turned(np.asarray(leaf))
            else:
                nameless.append("/".join(str(key.key) for key in path))
    return ForTorch(arrays, tuple(nameless))


def _turned(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """From the order of axes here to torch's, in memory of its own."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim)
    return np.array(array.transpose(axes) if axes else array, order="C")
