"""Learning from what is guessed of every class, and not of the likeliest one alone."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import soft_cross_entropy
from jaxclr.methods.method import Term, guessed, over_domains
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class SoftConsistency(Term):
    """Cross-entropy of strong views against guessed distributions, summed over the domains.

    Each image counts by its guess's weight. The mean of each domain is over all its images of the
    batch, trusted or not. Where distributions are one-hot it is FixMatch's consistency.
    """

    labeled: bool = True
    """Whether labeled images, with what is *guessed* of them, are among them."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats."""
        strong, pseudo = guessed(outputs)
        losses = pseudo.weight * soft_cross_entropy(strong.logits, pseudo.probabilities)
        return over_domains(outputs, losses, labeled=self.labeled)
