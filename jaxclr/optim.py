"""Optimizers: settings that build optax transformations."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import PyTree


@dataclasses.dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent with momentum; backbone and head at their own rates.

    The rates fall by a cosine to zero at the last step. Weight decay is added to the gradient of
    every parameter, norms and biases too, as torch's SGD does.
    """

    learning_rate: float = 0.003
    """Rate of the backbone at the first step."""
    head_learning_rate: float = 0.01
    """Rate of the head at the first step."""
    momentum: float = 0.9
    """In [0, 1)."""
    weight_decay: float = 5e-4
    """Factor of the parameters that is added to their gradients."""
    nesterov: bool = False
    """Whether momentum looks ahead."""

    def build(self, *, steps: int, steps_per_update: int = 1) -> optax.GradientTransformation:
        """The transformation for parameters ``{"backbone": ..., "head": ...}``.

        Args:
            steps: Length of the run.
            steps_per_update: The rates move once in so many steps; the protocol's once an epoch.
        """
        return optax.multi_transform(
            {
                "backbone": self._part(self.learning_rate, steps, steps_per_update),
                "head": self._part(self.head_learning_rate, steps, steps_per_update),
            },
            _part_names,
        )

    def _part(self, rate: float, steps: int, every: int) -> optax.GradientTransformation:
        def schedule(count: ArrayLike) -> jax.Array:
            done = jnp.asarray(count) // every * every / steps
            return rate * 0.5 * (1 + jnp.cos(jnp.pi * done))

        return optax.chain(
            optax.add_decayed_weights(self.weight_decay),
            optax.trace(self.momentum, self.nesterov),
            optax.scale_by_learning_rate(schedule),
        )


def _part_names(params: dict[str, PyTree]) -> dict[str, PyTree]:
    """Each parameter's part of the network: the name of the top-level entry it is in."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[0].key, params)
