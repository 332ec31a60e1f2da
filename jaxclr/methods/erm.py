"""Empirical risk minimization on the labeled images: the floor that unlabeled ones must beat."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import cross_entropy
from jaxclr.methods.method import Labeler, Method, Term, likeliest, needed, probabilities_of
from jaxclr.types import Evidence, Outputs, PseudoLabels, Sizes


@dataclasses.dataclass(frozen=True)
class Supervised(Term):
    r"""Cross-entropy on given labels, the mean of each domain, summed over the domains.

    Of images that were mixed, on both labels:

    .. math::
        \ell = \lambda H(y, p) + (1 - \lambda) H(y', p)

    with the own share :math:`\lambda`, the other image's label :math:`y'` and the cross-entropy
    :math:`H(y, p) = -\log p_y` of the prediction on the mixed image.
    """

    reads = ("labeled",)
    mixed = True

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; domains have equally many labeled images in a batch."""
        return outputs.num_domains * labeled_losses(outputs).mean()


def labeled_losses(outputs: Outputs) -> Float[Array, " l"]:
    """Cross-entropy of each labeled image, in nats; of a mixed one on both labels."""
    labeled = needed(outputs.labeled, "a pass over labeled images")
    losses = cross_entropy(labeled.logits, outputs.label)
    if outputs.mixture is None:
        return losses
    other, share = outputs.mixture
    return share * losses + (1 - share) * cross_entropy(labeled.logits, other)


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
