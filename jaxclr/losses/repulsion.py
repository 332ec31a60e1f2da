r"""FixCLR's negative-class contrast: classes push each other apart, whatever their domains.

Symbols: ``z`` unit features, ``y`` a given or guessed class, ``m`` the weight of an example in
[0, 1], ``T`` the temperature. For class :math:`j` and domain :math:`i`,

.. math::
    A_j = \{a : y_a = j\}, \qquad B_{ij} = \{b : \text{domain}_b = i,\; y_b \ne j\}.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from jaxclr.losses.reduce import unit


def negative_class_contrastive(
    features: Num[Array, "b d"],
    label: Int[Array, " b"],
    domain: Int[Array, " b"],
    weight: Num[Array, " b"],
    *,
    num_classes: int,
    num_domains: int,
    temperature: float = 0.1,
    attraction: Float[Array, ""] | float = 0.0,
) -> tuple[Float[Array, "k n"], Bool[Array, "k n"]]:
    r"""Log-repulsion of every class from the other classes of every domain.

    .. math::
        \ell_{ji} = \log\Big(1 + \sum_{a \in A_j} \sum_{b \in B_{ij}}
            m_a m_b \, e^{(z_a^\top z_b - P_j) / T}\Big)

    with :math:`P_j = 1`: NT-Xent whose positive similarity is fixed at its best, so that no
    example is pulled anywhere. It is never negative, and no exponent exceeds zero. With
    ``attraction`` :math:`\alpha > 0` the fixed positive gives way to the real one,
    :math:`e^{P_j/T} = (1 - \alpha) e^{1/T} + \alpha\,\mathrm{mean}_{a \ne a' \in A_j}
    e^{z_a^\top z_{a'}/T}` (weighted by :math:`m_a m_{a'}`; a class of fewer than two examples
    keeps :math:`P_j = 1`), which is the paper's ablation.

    Args:
        features: Vectors of any float type; scaled to length one here, so their own scale is
            free. A zero row is at cosine 0 from all others, with a finite gradient.
        label: Class of each example in ``[0, num_classes)``, given or guessed.
        domain: Domain of each example in ``[0, num_domains)``.
        weight: How far each label is relied upon, in [0, 1]; 0 leaves the example out.
        num_classes: ``k``.
        num_domains: ``n``.
        temperature: ``T > 0``; small values attend to the nearest intruders only.
        attraction: :math:`\alpha` in [0, 1]; may be traced, so that it can grow with training.

    Returns:
        The loss of every (class, domain) pair in nats, and whether the pair exists: a trusted
        example of that class anywhere, and one of another class in that domain. Where it does
        not, the loss is 0.

    References:
        Son, Rezaei, Liu, `FixCLR <https://arxiv.org/abs/2506.20841>`_, 2025. The sets, the sum
        over pairs and the fixed numerator are the paper's; the exact form, the temperature and
        the normalisation are our reconstruction.
    """
    z = unit(features)
    weight = weight.astype(jnp.float32)
    # Errors of a faster product, such as TF32, would be divided by the temperature.
    cosine = jnp.matmul(z, z.T, precision="highest")
    kernel = jnp.exp((cosine - 1) / temperature)
    is_class = jax.nn.one_hot(label, num_classes)
    of_class = is_class * weight[:, None]
    of_other = (1 - is_class) * weight[:, None]
    in_domain = jax.nn.one_hot(domain, num_domains)
    repulsion = ((of_class.T @ kernel) * of_other.T) @ in_domain
    exists = (of_class.sum(0)[:, None] > 0) & (of_other.T @ in_domain > 0)
    # A zero known before tracing costs no second pass over the kernel.
    if not (isinstance(attraction, float) and attraction == 0):
        # Bounded so that its square, in the gradient, is no zero in float32.
        real = jnp.maximum(_positive(kernel, of_class), 1e-18)
        repulsion = repulsion / (1 - attraction + attraction * real)[:, None]
    return jnp.where(exists, jnp.log1p(repulsion), 0.0), exists


def _positive(kernel: Float[Array, "b b"], of_class: Float[Array, "b k"]) -> Float[Array, " k"]:
    """The mean kernel between different examples of each class; 1 where there are no two."""
    others = kernel * (1 - jnp.eye(len(kernel)))
    # Exactly zero for one example alone, which a difference of squares is not.
    pairs = (of_class * (of_class.sum(0) - of_class)).sum(0)
    together = ((of_class.T @ others) * of_class.T).sum(1)
    return jnp.where(pairs > 0, together / jnp.where(pairs > 0, pairs, 1.0), 1.0)
