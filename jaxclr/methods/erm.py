"""Empirical risk minimization on the labeled images: the floor that unlabeled ones must beat."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import cross_entropy
from jaxclr.methods.method import Method, Term
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class Supervised(Term):
    """Cross-entropy on given labels, the mean of each domain, summed over the domains."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; domains have equally many labeled images in a batch."""
        losses = cross_entropy(outputs.labeled.logits, outputs.label)
        return outputs.num_domains * losses.mean()


def erm() -> Method:
    """Cross-entropy on the labeled images alone.

    References:
        Gulrajani and Lopez-Paz, `In Search of Lost Domain Generalization
        <https://arxiv.org/abs/2007.01434>`_, 2021.
    """
    return Method({"supervised": Supervised()}, labeler=None)
