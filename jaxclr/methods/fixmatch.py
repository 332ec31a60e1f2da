"""FixMatch: confident guesses on weak views are the labels of strong ones."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.losses import cross_entropy
from jaxclr.methods.erm import Supervised
from jaxclr.methods.method import (
    Labeler,
    Method,
    Term,
    guessed,
    likeliest,
    over_domains,
    probabilities_of,
)
from jaxclr.types import Evidence, Outputs, PseudoLabels, Sizes


@dataclasses.dataclass(frozen=True)
class FixedThreshold(Labeler):
    """Trusts a guess wholly from a confidence on, and not at all below."""

    threshold: float = 0.95
    """Least confidence to be trusted, in [0, 1]."""

    def init(self, sizes: Sizes) -> tuple[()]:
        """Nothing is remembered."""
        return ()

    def label(self, memory: tuple[()], evidence: Evidence) -> tuple[tuple[()], PseudoLabels]:
        """The likeliest class, weighted 1 or 0."""
        probabilities = probabilities_of(evidence.prediction)
        trusted = (probabilities.max(-1) >= self.threshold).astype(jnp.float32)
        return (), likeliest(probabilities, trusted)


@dataclasses.dataclass(frozen=True)
class Consistency(Term):
    """Cross-entropy of strong views against trusted guesses, summed over the domains.

    The mean of each domain is over all its images of the batch, trusted or not: fewer trusted
    guesses weigh less.
    """

    labeled: bool = True
    """Whether labeled images, with their *guessed* label, are among them, as in the protocol of
    domain generalization; if not, unlabeled images alone, as in FixMatch's own."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats."""
        strong, pseudo = guessed(outputs)
        losses = pseudo.weight * cross_entropy(strong.logits, pseudo.label)
        return over_domains(outputs, losses, labeled=self.labeled)


def fixmatch(
    *, threshold: float = 0.95, unlabeled_weight: float = 1.0, labeled: bool = True
) -> Method:
    """Cross-entropy on given labels, and on trusted guesses across views.

    Args:
        threshold: Least confidence of a trusted guess, in [0, 1].
        unlabeled_weight: Factor of the consistency term.
        labeled: Whether labeled images take part in the consistency, with guessed labels.

    References:
        Sohn et al., `FixMatch <https://arxiv.org/abs/2001.07685>`_, 2020, eq. 3 and 4; over
        domains as in Zhou, Loy, Liu, `StyleMatch <https://arxiv.org/abs/2106.00592>`_, 2021.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": Consistency(unlabeled_weight, labeled),
        },
        labeler=FixedThreshold(threshold),
    )
