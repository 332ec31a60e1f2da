"""Barlow Twins: features agree across views, each with itself and with no other."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import barlow_twins
from jaxclr.methods.erm import Nobody
from jaxclr.methods.method import Method, Term
from jaxclr.methods.simclr import both_views
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class Decorrelation(Term):
    """Takes the correlations of the two strong views' embeddings towards the identity.

    Correlations are over the images of all domains together.
    """

    off_diagonal: float = 0.0051
    """What redundancy counts beside disagreement, not below 0."""

    reads = ("strong", "second")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The sum over the numbers of an embedding, as in the paper; never negative, no unit."""
        strong, second = both_views(outputs)
        return barlow_twins(
            strong.embedding, second.embedding, off_diagonal=self.off_diagonal
        ).sum()


def barlow(*, off_diagonal: float = 0.0051) -> Method:
    """Redundancy reduction across two strong views, without any label.

    The model has ``projector=Mlp(normalised=True)``; wide embeddings do best in the paper.

    Args:
        off_diagonal: What redundancy counts beside disagreement.

    References:
        Zbontar et al., `Barlow Twins <https://arxiv.org/abs/2103.03230>`_, 2021, eq. 1.
    """
    return Method({"decorrelation": Decorrelation(1.0, off_diagonal)}, Nobody())
