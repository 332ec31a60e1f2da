"""CORAL: domains get the same means and covariances of features, on top of any method."""

import dataclasses

from jaxtyping import Array, Bool, Float, Int, Num

from jaxclr.losses import moment_distance
from jaxclr.methods.domains import Alignment, Vectors, Views, aligns_strong
from jaxclr.methods.erm import erm
from jaxclr.methods.method import Method


@dataclasses.dataclass(frozen=True)
class MomentAlignment(Alignment):
    """Draws together means and covariances of the labeled images' features, domain by domain."""

    def distance(
        self, vectors: Num[Array, "v d"], domain: Int[Array, " v"], num_domains: int
    ) -> tuple[Float[Array, "n n"], Bool[Array, "n n"]]:
        """That of :func:`jaxclr.losses.moment_distance`."""
        return moment_distance(vectors, domain, num_domains=num_domains)


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
    kind = StrongMomentAlignment if aligns_strong(base, views) else MomentAlignment
    return base.plus(alignment=kind(weight, vectors))
