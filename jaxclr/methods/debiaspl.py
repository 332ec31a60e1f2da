"""DebiasPL: what the network leans to in general is taken out of its guesses."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.memory import followed, recalled
from jaxclr.methods.method import (
    Labeler,
    Method,
    Term,
    guessed,
    likeliest,
    needed,
    probabilities_of,
)
from jaxclr.types import Evidence, Outputs, PseudoLabels, Sizes


class Leaning(NamedTuple):
    """A moving average over the unlabeled images."""

    share: Float[Array, " k"]
    """Mean probability of each class, as stated."""


@dataclasses.dataclass(frozen=True)
class DebiasedThreshold(Labeler):
    r"""Trusts a guess wholly from a confidence on, both judged without the general leaning.

    .. math:: \tilde f = f - \lambda \log \hat p_{t-1}, \qquad
        \hat p_t = m \hat p_{t-1} + (1 - m) \, \mathrm{mean}_{b\,\text{unlabeled}} p_b

    with p the softmax of the logits f as they are. All classes start alike. A class whose share
    falls below 1e-12 is treated as if it had that much.
    """

    threshold: float = 0.95
    """Least confidence to be trusted, in [0, 1]."""
    strength: float = 0.4
    """lambda >= 0: how much of the leaning is taken out; 0 makes it a fixed threshold."""
    decay: float = 0.999
    """m in [0, 1]."""

    def init(self, sizes: Sizes) -> Leaning:
        """No class is leaned to."""
        return Leaning(jnp.full(sizes.num_classes, 1 / sizes.num_classes, jnp.float32))

    def label(self, memory: Leaning, evidence: Evidence) -> tuple[Leaning, PseudoLabels]:
        """The likeliest class without the leaning, weighted 1 or 0."""
        said = evidence.prediction
        probabilities = jax.nn.softmax(_leant(said.logits, memory, -self.strength))
        trusted = (probabilities.max(-1) >= self.threshold).astype(jnp.float32)
        share = followed(memory.share, probabilities_of(said), evidence, self.decay)
        return Leaning(share), likeliest(probabilities, trusted)


@dataclasses.dataclass(frozen=True)
class AdaptiveMargin(Term):
    r"""Consistency that asks for a larger margin against the classes that are leaned to.

    FixMatch's, with :math:`f + \lambda \log \hat p_t` in place of the strong views' logits f.
    """

    strength: float = 0.4
    """lambda >= 0; 0 makes it FixMatch's."""
    labeled: bool = True
    """Whether labeled images, with their *guessed* label, are among them."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats."""
        strong, _ = guessed(outputs)
        leaning = needed(recalled(outputs.memory, Leaning), "the memory of DebiasPL's labeler")
        strong = strong._replace(logits=_leant(strong.logits, leaning, self.strength))
        return Consistency(labeled=self.labeled)(outputs._replace(strong=strong))


def _leant(logits: Num[Array, "b k"], leaning: Leaning, strength: float) -> Float[Array, "b k"]:
    return logits.astype(jnp.float32) + strength * jnp.log(jnp.maximum(leaning.share, 1e-12))


def debiaspl(
    *,
    threshold: float = 0.95,
    strength: float = 0.4,
    decay: float = 0.999,
    unlabeled_weight: float = 1.0,
    labeled: bool = True,
) -> Method:
    """FixMatch on debiased guesses, with margins that adapt to the bias.

    Args:
        threshold: Least confidence of a trusted guess, in [0, 1], after debiasing.
        strength: How much of the leaning is taken out of guesses, and asked for as a margin.
        decay: Of the moving average of the mean probability, in [0, 1].
        unlabeled_weight: Factor of the consistency term.
        labeled: Whether labeled images take part in the consistency, with guessed labels.

    References:
        Wang, Wu, Lian, Yu, `Debiased Learning from Naturally Imbalanced Pseudo-Labels
        <https://arxiv.org/abs/2201.01490>`_, 2022: its adaptive debiasing and its adaptive marginal
        loss, without the optional CLD loss; over domains as in FixMatch here.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": AdaptiveMargin(unlabeled_weight, strength, labeled),
        },
        labeler=DebiasedThreshold(threshold, strength, decay),
    )
