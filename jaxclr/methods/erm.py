"""Empirical risk minimization on the labeled images: the floor that unlabeled ones must beat."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.losses import cross_entropy
from jaxclr.methods.method import Labeler, Method, Term
from jaxclr.types import Outputs, Prediction, PseudoLabels


@dataclasses.dataclass(frozen=True)
class Supervised(Term):
    """Cross-entropy on given labels, the mean of each domain, summed over the domains."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; domains have equally many labeled images in a batch."""
        losses = cross_entropy(outputs.labeled.logits, outputs.label)
        return outputs.num_domains * losses.mean()


@dataclasses.dataclass(frozen=True)
class Nobody(Labeler):
    """Trusts no guess at all: labeled images are all that is learned from."""

    guesses = False

    def init(self, num_classes: int) -> tuple[()]:
        """Nothing is remembered."""
        return ()

    def label(self, memory: tuple[()], prediction: Prediction) -> tuple[tuple[()], PseudoLabels]:
        """The likeliest class, weighted 0."""
        probabilities = jax.nn.softmax(prediction.logits.astype(jnp.float32))
        confidence = probabilities.max(-1)
        untrusted = jnp.zeros_like(confidence)
        return (), PseudoLabels(probabilities.argmax(-1), confidence, untrusted, probabilities)


def erm() -> Method:
    """Cross-entropy on the labeled images alone.

    References:
        Gulrajani and Lopez-Paz, `In Search of Lost Domain Generalization
        <https://arxiv.org/abs/2007.01434>`_, 2021.
    """
    return Method({"supervised": Supervised()}, Nobody())
