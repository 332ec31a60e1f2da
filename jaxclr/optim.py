"""Optimizers: settings that build optax transformations."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import PyTree

Schedule = Callable[[ArrayLike], jax.Array]


@dataclasses.dataclass(frozen=True)
class Optimizer(abc.ABC):
    """How parameters move."""

    @abc.abstractmethod
    def build(self, *, steps: int, steps_per_update: int = 1) -> optax.GradientTransformation:
        """The transformation for parameters ``{"backbone": ..., "head": ...}``.

        Args:
            steps: Length of the run.
            steps_per_update: The rates move once in so many steps; the protocol's once an epoch.
        """


@dataclasses.dataclass(frozen=True)
class Sgd(Optimizer):
    """Stochastic gradient descent with momentum; backbone and all else at their own rates."""

    learning_rate: float = 0.003
    """Rate of the backbone at the first step."""
    head_learning_rate: float = 0.01
    """Rate of classifier, projector and predictor at the first step."""
    momentum: float = 0.9
    """In [0, 1)."""
    weight_decay: float = 5e-4
    """Factor of the parameters that is added to their gradients."""
    nesterov: bool = False
    """Whether momentum looks ahead."""
    schedule: Literal["cosine", "cosine_7_16"] = "cosine"
    """The rates fall by half a cosine to zero at the last step, or, as in FixMatch, by
    cos(7 pi t / 16) of the progress t, to a fifth."""
    decays_all: bool = True
    """Whether norms and biases decay, too, as in torch's SGD; if not, weights alone."""

    def build(self, *, steps: int, steps_per_update: int = 1) -> optax.GradientTransformation:
        """The transformation; see :class:`Optimizer`."""
        rates = {"backbone": self.learning_rate, "head": self.head_learning_rate}
        return optax.multi_transform(
            {name: self._part(rate, steps, steps_per_update) for name, rate in rates.items()},
            _part_names,
        )

    def _part(self, rate: float, steps: int, every: int) -> optax.GradientTransformation:
        falls = _half_cosine if self.schedule == "cosine" else _seven_sixteenths

        def schedule(count: ArrayLike) -> jax.Array:
            return rate * falls(jnp.asarray(count) // every * every / steps)

        return optax.chain(
            optax.add_decayed_weights(self.weight_decay, None if self.decays_all else _weights),
            optax.trace(self.momentum, self.nesterov),
            optax.scale_by_learning_rate(schedule),
        )


@dataclasses.dataclass(frozen=True)
class Adam(Optimizer):
    """Adam with the schedule of self-supervised runs: a linear warm-up, then two late drops."""

    learning_rate: float = 3e-3
    """Rate after the warm-up."""
    weight_decay: float = 1e-6
    """Factor of the parameters that is added to their gradients."""
    warmup: int = 500
    """Steps in which the rate grows from nothing."""
    drops: tuple[float, ...] = (0.95, 0.975)
    """Fractions of the run at which the rate falls to a fifth."""

    def build(self, *, steps: int, steps_per_update: int = 1) -> optax.GradientTransformation:
        """The transformation; see :class:`Optimizer`."""

        def schedule(count: ArrayLike) -> jax.Array:
            count = jnp.asarray(count)
            grown = jnp.minimum((count + 1) / max(self.warmup, 1), 1.0)
            fallen = sum((count >= drop * steps).astype(jnp.float32) for drop in self.drops)
            return self.learning_rate * grown * 0.2**fallen

        return optax.chain(
            optax.add_decayed_weights(self.weight_decay),
            optax.scale_by_adam(),
            optax.scale_by_learning_rate(schedule),
        )


def _half_cosine(done: jax.Array) -> jax.Array:
    return 0.5 * (1 + jnp.cos(jnp.pi * done))


def _seven_sixteenths(done: jax.Array) -> jax.Array:
    return jnp.cos(7 * jnp.pi * done / 16)


def _part_names(params: dict[str, PyTree]) -> dict[str, PyTree]:
    """Each parameter's part: the backbone, or what follows it."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "backbone" if path[0].key == "backbone" else "head", params
    )


def _weights(params: PyTree) -> PyTree:
    """Which parameters are weights: those of two dimensions or more."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
