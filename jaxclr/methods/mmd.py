"""MMD: domains get the same distribution of features, as kernels see it, on top of any method."""

import dataclasses

from jaxtyping import Array, Bool, Float, Int, Num

from jaxclr.losses import kernel_distance
from jaxclr.methods.domains import Alignment, Vectors, Views, aligns_strong
from jaxclr.methods.erm import erm
from jaxclr.methods.method import Method


@dataclasses.dataclass(frozen=True)
class KernelAlignment(Alignment):
    """Draws together the distributions of the labeled images' features, domain by domain.

    It is at most 14 times the number of domains.
    """

    def distance(
        self, vectors: Num[Array, "v d"], domain: Int[Array, " v"], num_domains: int
    ) -> tuple[Float[Array, "n n"], Bool[Array, "n n"]]:
        """That of :func:`jaxclr.losses.kernel_distance`."""
        return kernel_distance(vectors, domain, num_domains=num_domains)


@dataclasses.dataclass(frozen=True)
class StrongKernelAlignment(KernelAlignment):
    """The same over the strong views of all images, labeled and unlabeled."""

    reads = ("strong",)


def mmd(
    base: Method | None = None,
    *,
    weight: float = 1.0,
    vectors: Vectors = "features",
    views: Views | None = None,
) -> Method:
    """Adds alignment of distributions by Gaussian kernels to ``base``, by default to ERM.

    Args:
        base: Any method.
        weight: Factor of the alignment; DomainBed's default, which it draws from 0.1 to 10.
        vectors: What is aligned.
        views: The labeled images', as in DomainBed, where all images are labeled, or the strong
            views of all images; none given: the latter where ``base`` reads them.

    References:
        Li, Pan, Wang, Kot, `Domain Generalization with Adversarial Feature Learning
        <https://openaccess.thecvf.com/content_cvpr_2018/html/Li_Domain_Generalization_With_CVPR_2018_paper.html>`_,
        2018; without their autoencoder, as in Gulrajani, Lopez-Paz, `DomainBed
        <https://arxiv.org/abs/2007.01434>`_, 2021.
    """
    base = base or erm()
    kind = StrongKernelAlignment if aligns_strong(base, views) else KernelAlignment
    return base.plus(kernel_alignment=kind(weight, vectors))
