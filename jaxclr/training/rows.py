"""Labeled and unlabeled examples in one array, row by row."""

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from jaxclr.types import Tensor


def join(
    labeled: Shaped[Tensor, "l ..."], unlabeled: Shaped[Tensor, "u ..."], num_domains: int
) -> Shaped[Array, "b ..."]:
    """Joins labeled and unlabeled examples row by row, so that each stays on its device.

    Concatenating end to end instead would move most of them to other devices.
    """
    rows, shape = len(labeled) // num_domains, labeled.shape[1:]
    parts = [part.reshape(rows, -1, *shape) for part in (labeled, unlabeled)]
    return jnp.concatenate(parts, axis=1).reshape(-1, *shape)


def part(
    joined: Shaped[Array, "b ..."], labeled: int, num_domains: int
) -> tuple[Shaped[Array, "l ..."], Shaped[Array, "u ..."]]:
    """Parts what :func:`join` has joined, of which so many are labeled."""
    rows, shape = joined.reshape(labeled // num_domains, -1, *joined.shape[1:]), joined.shape[1:]
    ours, others = rows[:, :num_domains], rows[:, num_domains:]
    return ours.reshape(-1, *shape), others.reshape(-1, *shape)
