"""CORAL: domains get the same means and covariances of features, on top of any method."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import masked_mean, moment_distance
from jaxclr.methods.domains import Vectors, Views, spread
from jaxclr.methods.erm import erm
from jaxclr.methods.method import Method, Term
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class MomentAlignment(Term):
    """Draws together the means and covariances of the labeled images' features, domain by domain.

    The mean over the pairs of domains, times the number of domains, like the cross-entropy beside
    it.
    """

    vectors: Vectors = "features"
    """What is aligned: the backbone's features, or what the projector makes of them."""

    reads = ("labeled",)
    # It asks no image for its label.
    mixed = True

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value, in the vectors' units; 0 where there is one domain alone."""
        vectors, domain = spread(outputs, self.reads[0], self.vectors)
        distance, exists = moment_distance(vectors, domain, num_domains=outputs.num_domains)
        return outputs.num_domains * masked_mean(distance, exists)


@dataclasses.dataclass(frozen=True)
class StrongMomentAlignment(MomentAlignment):
    """The same over the strong views of all images, labeled and unlabeled."""

    reads = ("strong",)


def coral(
    base: Method | None = None,
    *,
    weight: float = 1.0,
    vectors: Vectors = "features",
    views: Views | None = None,
) -> Method:
    """Adds alignment of means and covariances to ``base``, by default to ERM.

    Args:
        base: Any method.
        weight: Factor of the alignment; DomainBed's default, which it draws from 0.1 to 10.
        vectors: What is aligned.
        views: The labeled images', as in DomainBed, where all images are labeled, or the strong
            views of all images; none given: the latter where ``base`` reads them.

    References:
        Sun, Saenko, `Deep CORAL <https://arxiv.org/abs/1607.01719>`_, 2016; over pairs of source
        domains, with means, as in Gulrajani, Lopez-Paz, `DomainBed
        <https://arxiv.org/abs/2007.01434>`_, 2021.
    """
    base = base or erm()
    strong = views == "strong" if views else "strong" in base.reads
    kind = StrongMomentAlignment if strong else MomentAlignment
    return base.plus(alignment=kind(weight, vectors))
