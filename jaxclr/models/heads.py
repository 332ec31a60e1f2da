"""What follows the backbone: projectors make embeddings, classifiers make logits."""

import abc
import dataclasses
from typing import Any, Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Num, PRNGKeyArray

from jaxclr.losses import unit
from jaxclr.models.norm import BatchNorm

Key = PRNGKeyArray | None


class Layer(nnx.Module):
    """A linear layer, computed in the type given."""

    def __init__(self, inputs: int, outputs: int, dtype: Any):
        self.kernel = nnx.Param(jnp.zeros((inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.dtype = dtype

    def __call__(self, x: Num[Array, "b i"]) -> Num[Array, "b o"]:
        """The weighted sums and a bias."""
        return affine(x, self.kernel[...], self.bias[...], self.dtype)


class ProjectorModule(nnx.Module):
    """Two linear layers, with batch norm between them if asked, and ReLU."""

    def __init__(self, inputs: int, hidden: int, outputs: int, normalised: bool, dtype: Any):
        self.hidden = Layer(inputs, hidden, dtype)
        self.bn = BatchNorm(hidden) if normalised else None
        self.out = Layer(hidden, outputs, dtype)

    def __call__(self, x: Num[Array, "b i"], *, groups: int, train: bool) -> Num[Array, "b o"]:
        """Batch norm keeps statistics of each group, as in the backbone."""
        x = self.hidden(x)
        if self.bn is not None:
            x = self.bn(x[:, None, None], groups=groups, train=train)[:, 0, 0]
        return self.out(jax.nn.relu(x))


@dataclasses.dataclass(frozen=True)
class Projector(abc.ABC):
    """Settings of what makes an embedding."""

    @abc.abstractmethod
    def module(self, inputs: int, dtype: Any) -> tuple[nnx.Module | None, int]:
        """The module, None where inputs pass through, and the width of what it gives."""


@dataclasses.dataclass(frozen=True)
class NoProjector(Projector):
    """Lets the features through."""

    def module(self, inputs: int, dtype: Any) -> tuple[None, int]:
        """No module."""
        return None, inputs


@dataclasses.dataclass(frozen=True)
class Mlp(Projector):
    """A perceptron of one hidden layer with ReLU."""

    hidden: int | None = None
    """Width of the hidden layer; none: that of the input."""
    width: int | None = None
    """Width of the embedding; none: that of the input."""
    normalised: bool = False
    """Whether batch norm follows the first layer."""

    def module(self, inputs: int, dtype: Any) -> tuple[nnx.Module, int]:
        """The module and its width."""
        hidden, width = self.hidden or inputs, self.width or inputs
        return ProjectorModule(inputs, hidden, width, self.normalised, dtype), width


@runtime_checkable
class ClassifierModule(Protocol):
    """A flax module from features or embedding to logits."""

    def __call__(
        self, features: Num[Array, "b d"], embedding: Num[Array, "b e"], *, key: Key, guess: bool
    ) -> tuple[Num[Array, "b k"], Num[Array, "s b k"] | None]:
        """Logits; and, of a guess, more of them drawn at random where the classifier draws.

        Args:
            features: From the backbone.
            embedding: From the projector.
            key: For draws; None: what is stochastic takes its mean.
            guess: Whether a pseudo-label is made of it: logits are then deterministic.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Classifier(abc.ABC):
    """Settings of what makes logits."""

    @abc.abstractmethod
    def module(self, width: int, embedding: int, num_classes: int, dtype: Any) -> ClassifierModule:
        """The module for features and embeddings of these widths."""


class LinearModule(nnx.Module):
    """Features to logits by weights and a bias."""

    def __init__(self, width: int, num_classes: int, settings: "Linear", dtype: Any):
        self.kernel = nnx.Param(jnp.zeros((width, num_classes)))
        self.bias = nnx.Param(jnp.zeros(num_classes))
        self.dropout, self.samples = settings.dropout, settings.samples
        self.learns_whole, self.dtype = settings.learns_whole, dtype

    def __call__(
        self, features: Num[Array, "b d"], embedding: Num[Array, "b e"], *, key: Key, guess: bool
    ) -> tuple[Num[Array, "b k"], Num[Array, "s b k"] | None]:
        """Drops features in learning, unless told not to, and in the samples of a guess."""
        if key is None or not self.dropout or (self.learns_whole and not guess):
            return self._logits(features), None
        if not guess:
            return self._logits(self._dropped(features, key)), None
        keys = jax.random.split(key, self.samples)
        samples = [self._logits(self._dropped(features, keys[i])) for i in range(self.samples)]
        return self._logits(features), jnp.stack(samples)

    def _logits(self, x: Num[Array, "b d"]) -> Num[Array, "b k"]:
        return affine(x, self.kernel[...], self.bias[...], self.dtype)

    def _dropped(self, x: Num[Array, "b d"], key: PRNGKeyArray) -> Num[Array, "b d"]:
        kept = jax.random.bernoulli(key, 1 - self.dropout, x.shape)
        return jnp.where(kept, x / (1 - self.dropout), 0)


@dataclasses.dataclass(frozen=True)
class Linear(Classifier):
    """One linear layer on the features, with dropout before it if asked."""

    dropout: float = 0.0
    """Probability that a feature is dropped, in [0, 1)."""
    samples: int = 10
    """With dropout: how many times a guess is drawn anew, for its certainty."""
    learns_whole: bool = False
    """With dropout: whether learning is spared it, so that the samples of guesses alone drop."""

    def module(self, width: int, embedding: int, num_classes: int, dtype: Any) -> LinearModule:
        """The module."""
        return LinearModule(width, num_classes, self, dtype)


class PrototypesModule(nnx.Module):
    """Embeddings to logits by their cosines with trainable prototypes."""

    def __init__(self, embedding: int, num_classes: int, temperature: float):
        self.prototypes = nnx.Param(jnp.zeros((num_classes, embedding)))
        self.temperature = temperature

    def __call__(
        self, features: Num[Array, "b d"], embedding: Num[Array, "b e"], *, key: Key, guess: bool
    ) -> tuple[Float[Array, "b k"], None]:
        """Deterministic, in float32."""
        return cosines(embedding, self.prototypes[...]) / self.temperature, None


@dataclasses.dataclass(frozen=True)
class Prototypes(Classifier):
    """One trainable prototype per class, compared with the embedding by cosine, no bias.

    References:
        Gauffre, Horvat, Amini, `A Unified Contrastive Loss for Self-Training
        <https://arxiv.org/abs/2409.07292>`_, 2024.
    """

    temperature: float = 0.08
    """The cosines are divided by it to be logits."""
    start: Literal["random", "class_means", "k_means"] = "random"
    """Where prototypes start: "random", or at embeddings of the first network: "class_means" of
    the labeled images, or centres of all training images by "k_means"."""

    def module(self, width: int, embedding: int, num_classes: int, dtype: Any) -> PrototypesModule:
        """The module."""
        return PrototypesModule(embedding, num_classes, self.temperature)


class StochasticModule(nnx.Module):
    """Features to logits by their cosines with weights that are drawn anew at each use."""

    def __init__(self, width: int, num_classes: int, temperature: float):
        self.mu = nnx.Param(jnp.zeros((num_classes, width)))
        self.sigma = nnx.Param(jnp.zeros((num_classes, width)))
        self.temperature = temperature

    def __call__(
        self, features: Num[Array, "b d"], embedding: Num[Array, "b e"], *, key: Key, guess: bool
    ) -> tuple[Float[Array, "b k"], None]:
        """Draws one set of weights for the whole batch in learning; takes their mean otherwise."""
        weights = self.mu[...]
        if key is not None and not guess:
            noise = jax.random.normal(key, weights.shape)
            weights = weights + jax.nn.softplus(self.sigma[...] - 4) * noise
        return cosines(features, weights) / self.temperature, None


@dataclasses.dataclass(frozen=True)
class Stochastic(Classifier):
    """A cosine classifier whose weights are Gaussian: mean mu, deviation softplus(sigma - 4).

    References:
        Zhou, Loy, Liu, `Semi-Supervised Domain Generalization with Stochastic StyleMatch
        <https://arxiv.org/abs/2106.00592>`_, 2021, eq. 2.
    """

    temperature: float = 0.05
    """The cosines are divided by it to be logits."""

    def module(self, width: int, embedding: int, num_classes: int, dtype: Any) -> StochasticModule:
        """The module."""
        return StochasticModule(width, num_classes, self.temperature)


def affine(
    x: Num[Array, "b i"], kernel: Float[Array, "i o"], bias: Float[Array, " o"], dtype: Any
) -> Num[Array, "b o"]:
    """Weighted sums and a bias, in the type given."""
    return x.astype(dtype) @ kernel.astype(dtype) + bias.astype(dtype)


def cosines(x: Num[Array, "b d"], weights: Num[Array, "k d"]) -> Float[Array, "b k"]:
    """The cosine of every row with every weight vector, in float32; zero rows are at 0."""
    return jnp.matmul(unit(x), unit(weights).T, precision="highest")
