"""Batch norm whose statistics are those of each domain by itself."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float


class BatchNorm(nnx.Module):
    """Normalises channels by the statistics of each group of images, in float32.

    Agrees with torch's: two-pass variance, and a running variance that is the unbiased one. Groups
    update the running statistics one after another, as if each had been a batch of its own.

    Args:
        width: How many channels.
        momentum: Share of the running statistics that one group leaves; torch calls 0.9 0.1.
        epsilon: Added to the variance before its root is divided by.
    """

    def __init__(self, width: int, *, momentum: float = 0.9, epsilon: float = 1e-5):
        self.momentum, self.epsilon = momentum, epsilon
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))
        self.mean = nnx.BatchStat(jnp.zeros(width))
        self.var = nnx.BatchStat(jnp.ones(width))

    def __call__(
        self, x: Float[Array, "b h w c"], *, groups: int, train: bool
    ) -> Float[Array, "b h w c"]:
        """Normalises by batch statistics in training, by running ones otherwise.

        Args:
            x: Feature maps; example ``e`` is of group ``e % groups``.
            groups: How many groups keep statistics of their own; divides ``b``.
            train: Whether to use, and record, the statistics of the batch.
        """
        grouped = x.reshape(-1, groups, *x.shape[1:]).astype(jnp.float32)
        if train:
            mean = _mean_of_groups(grouped)
            var = _mean_of_groups(jnp.square(grouped - mean))
            self._record(mean.reshape(groups, -1), var.reshape(groups, -1), x.size // x.shape[-1])
        else:
            mean, var = self.mean[...], self.var[...]
        factor = self.scale[...] / jnp.sqrt(var + self.epsilon)
        normal = grouped * factor + (self.bias[...] - mean * factor)
        return normal.reshape(x.shape).astype(x.dtype)

    def _record(self, mean: Float[Array, "n c"], var: Float[Array, "n c"], values: int) -> None:
        groups = len(mean)
        count = values // groups
        # Group i is forgotten by as many factors as groups come after it.
        share = (1 - self.momentum) * self.momentum ** np.arange(groups)[::-1, None]
        keep = self.momentum**groups
        unbiased = var * (count / max(count - 1, 1))
        self.mean[...] = keep * self.mean[...] + (share * mean).sum(0)
        self.var[...] = keep * self.var[...] + (share * unbiased).sum(0)


def _mean_of_groups(x: Float[Array, "r n h w c"]) -> Float[Array, "1 n 1 1 c"]:
    """The mean over rows and positions.

    In two stages, since the compiler shares a sum out over as many threads as its result has
    leading entries: here images, not domains.
    """
    return x.mean((2, 3), keepdims=True).mean(0, keepdims=True)
