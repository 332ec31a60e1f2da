"""Empirical risk minimization on the labeled images: the floor that unlabeled ones must beat."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import cross_entropy
from jaxclr.methods.method import Labeler, Method, Term, likeliest, needed, probabilities_of
from jaxclr.types import Evidence, Outputs, PseudoLabels, Sizes


@dataclasses.dataclass(frozen=True)
class Supervised(Term):
    """Cross-entropy on given labels, the mean of each domain, summed over the domains."""

    reads = ("labeled",)

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; domains have equally many labeled images in a batch."""
        labeled = needed(outputs.labeled, "a pass over labeled images")
        return outputs.num_domains * cross_entropy(labeled.logits, outputs.label).mean()


@dataclasses.dataclass(frozen=True)
class Nobody(Labeler):
    """Trusts no guess at all: given labels are all that is learned from."""

    def init(self, sizes: Sizes) -> tuple[()]:
        """Nothing is remembered."""
        return ()

    def label(self, memory: tuple[()], evidence: Evidence) -> tuple[tuple[()], PseudoLabels]:
        """The likeliest class, weighted 0."""
        return (), likeliest(probabilities_of(evidence.prediction), 0.0)


def erm() -> Method:
    """Cross-entropy on the labeled images alone.

    References:
        Gulrajani and Lopez-Paz, `In Search of Lost Domain Generalization
        <https://arxiv.org/abs/2007.01434>`_, 2021.
    """
    return Method({"supervised": Supervised()}, Nobody())
