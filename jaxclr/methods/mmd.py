"""MMD: domains get the same distribution of features, as kernels see it, on top of any method."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import kernel_distance, masked_mean
from jaxclr.methods.domains import Vectors, Views, spread
from jaxclr.methods.erm import erm
from jaxclr.methods.method import Method, Term
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class KernelAlignment(Term):
    """Draws together the distributions of the labeled images' features, domain by domain.

    The mean over the pairs of domains, times the number of domains, like the cross-entropy beside
    it.
    """

    vectors: Vectors = "features"
    """What is aligned: the backbone's features, or what the projector makes of them."""

    reads = ("labeled",)
    # It asks no image for its label.
    mixed = True

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value, up to 14 times the number of domains; 0 of one domain alone."""
        vectors, domain = spread(outputs, self.reads[0], self.vectors)
        distance, exists = kernel_distance(vectors, domain, num_domains=outputs.num_domains)
        return outputs.num_domains * masked_mean(distance, exists)


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
    strong = views == "strong" if views else "strong" in base.reads
    kind = StrongKernelAlignment if strong else KernelAlignment
    return base.plus(kernel_alignment=kind(weight, vectors))
