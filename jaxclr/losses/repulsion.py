r"""FixCLR's negative-class contrast: classes push each other apart, whatever their domains.

Symbols: ``z`` unit features, ``y`` a given or guessed class, ``m`` the weight of an example in
[0, 1], ``T`` the temperature. For class :math:`j` and domain :math:`i`,

.. math::
    A_j = \{a : y_a = j\}, \qquad B_{ij} = \{b : \text{domain}_b = i,\; y_b \ne j\}.
"""

import functools
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from jaxclr.losses.blocks import pair_sums
from jaxclr.losses.crowd import log_repulsion
from jaxclr.losses.reduce import exact_product, unit


def negative_class_contrastive(
    features: Num[Array, "b d"],
    label: Int[Array, " b"],
    domain: Int[Array, " b"],
    weight: Num[Array, " b"],
    *,
    num_classes: int,
    num_domains: int,
    temperature: float = 0.2,
    attraction: Float[Array, ""] | float = 0.0,
    reading: Literal["pairs", "group_means", "anchors"] = "pairs",
    frozen_numerator: bool = True,
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

    The paper's words leave open where the sums stand. Two other readings, by ``reading``: the
    whole groups' mean similarity, or each example's own sum, averaged over its class
    (means weighted by :math:`m_a m_b` and by :math:`m_a`),

    .. math::
        \text{group means: } \log\Big(1 + e^{(\mathrm{mean}_{a, b}\, z_a^\top z_b - P_j)/T}\Big),
        \qquad \text{anchors: } \mathrm{mean}_{a \in A_j} \log\Big(1 + \sum_{b \in B_{ij}}
            m_b \, e^{(z_a^\top z_b - P_j)/T}\Big).

    Without ``frozen_numerator``, each :math:`\log(1 + x)` becomes the log-sum-exp alone,
    :math:`\log x` with :math:`P_j = 1`: it never saturates, and may be negative.

    Args:
        features: Vectors of any float type; scaled to length one here, so their own scale is
            free. A zero row is at cosine 0 from all others, with a finite gradient.
        label: Class of each example in ``[0, num_classes)``, given or guessed.
        domain: Domain of each example in ``[0, num_domains)``.
        weight: How far each label is relied upon, in [0, 1]; 0 leaves the example out. It gets no
            gradient.
        num_classes: ``k``.
        num_domains: ``n``.
        temperature: ``T > 0``; small values attend to the nearest intruders only.
        attraction: :math:`\alpha` in [0, 1]; may be traced, so that it can grow with training.
            Without a numerator it has no effect.
        reading: Where the sums stand: one over all pairs, none (means), or one per anchor.
        frozen_numerator: Whether the numerator stays, which lets repulsion fade as classes part.

    Returns:
        The loss of every (class, domain) pair in nats, and whether the pair exists: a trusted
        example of that class anywhere, and one of another class in that domain. Where it does
        not, the loss is 0. Elsewhere it is at least 0, or, without a numerator, at least
        :math:`-2/T` plus the log of the summed weights (which group means do not have).

    References:
        Son, Rezaei, Liu, `FixCLR <https://arxiv.org/abs/2506.20841>`_, 2025. The sets, the sum
        over pairs and the fixed numerator are the paper's; the exact form, in each reading, the
        temperature and the normalisation are our reconstruction.
    """
    z = unit(features)
    groups = _groups(label, domain, weight, num_classes, num_domains)
    positive = _positive(z, groups, temperature, attraction) if frozen_numerator else None
    loss = {"pairs": _pairs, "group_means": _group_means, "anchors": _anchors}[reading]
    return jnp.where(groups.exists, loss(z, groups, temperature, positive), 0.0), groups.exists


class _Groups(NamedTuple):
    """Who is of which class and domain, each example counted by its weight."""

    label: Int[Array, " b"]
    of_class: Float[Array, "b k"]
    in_domain: Float[Array, "b n"]
    exists: Bool[Array, "k n"]


def _groups(
    label: Int[Array, " b"],
    domain: Int[Array, " b"],
    weight: Num[Array, " b"],
    num_classes: int,
    num_domains: int,
) -> _Groups:
    share = jax.lax.stop_gradient(weight.astype(jnp.float32))[:, None]
    is_class, is_domain = jax.nn.one_hot(label, num_classes), jax.nn.one_hot(domain, num_domains)
    # Whole numbers, whose difference is exact.
    trusted = is_domain * (share > 0)
    own = is_class.T @ trusted
    return _Groups(
        label=label,
        of_class=is_class * share,
        in_domain=is_domain * share,
        exists=(own.sum(1)[:, None] > 0) & (trusted.sum(0) - own > 0),
    )


def _pairs(
    z: Float[Array, "b d"], groups: _Groups, temperature: float, positive: Float[Array, " k"] | None
) -> Float[Array, "k n"]:
    if positive is None:
        return _log_sums(_log_sums_of_anchors(z, groups, temperature), groups)
    repulsion = exact_product(groups.of_class.T, _sums_of_anchors(z, groups, temperature))
    return jnp.log1p(repulsion / positive[:, None])


def _group_means(
    z: Float[Array, "b d"], groups: _Groups, temperature: float, positive: Float[Array, " k"] | None
) -> Float[Array, "k n"]:
    # Cosines are linear in either vector: their mean over a class is that with its mean vector.
    logits = (exact_product(_mean_of_class(z, groups), z.T) - 1) / temperature
    of_other = (groups.in_domain.sum(1, keepdims=True) - groups.of_class).T
    is_domain = (groups.in_domain > 0).astype(jnp.float32)
    count = exact_product(of_other, is_domain)
    mean = exact_product(logits * of_other, is_domain) / jnp.where(count > 0, count, 1.0)
    return mean if positive is None else jax.nn.softplus(mean - jnp.log(positive)[:, None])


def _anchors(
    z: Float[Array, "b d"], groups: _Groups, temperature: float, positive: Float[Array, " k"] | None
) -> Float[Array, "k n"]:
    if positive is None:
        return _mean_of_class(_log_sums_of_anchors(z, groups, temperature), groups)
    repulsion = _sums_of_anchors(z, groups, temperature)
    return _mean_of_class(jnp.log1p(repulsion / positive[groups.label][:, None]), groups)


def _mean_of_class(values: Float[Array, "b c"], groups: _Groups) -> Float[Array, "k c"]:
    """The weighted mean of each class's rows; 0 for a class without weight."""
    count = groups.of_class.sum(0)[:, None]
    return exact_product(groups.of_class.T, values) / jnp.where(count > 0, count, 1.0)


def _sums_of_anchors(
    z: Float[Array, "b d"], groups: _Groups, temperature: float
) -> Float[Array, "b n"]:
    """What pushes each anchor off the other classes of each domain."""

    def push(cosine, label_of_a, label_of_b):
        return jnp.where(label_of_a != label_of_b, jnp.exp((cosine - 1) / temperature), 0.0)

    # An anchor meets the other classes of its own class alone, so no sum needs a class axis.
    return pair_sums(push, z, groups.label, groups.in_domain)


def _log_sums_of_anchors(
    z: Float[Array, "b d"], groups: _Groups, temperature: float
) -> Float[Array, "b n"]:
    """The logarithm of the same, relative to each domain's nearest: none is lost to float32."""
    of_domain = functools.partial(log_repulsion, z, groups.label, temperature=temperature)
    return jax.vmap(of_domain, in_axes=1, out_axes=1)(groups.in_domain) - 1 / temperature


def _log_sums(logits: Float[Array, "b n"], groups: _Groups) -> Float[Array, "k n"]:
    """Weighted log-sum-exp of each class's rows; 0 for a class without weight."""
    num_classes = groups.of_class.shape[1]
    weight = groups.of_class.sum(1, keepdims=True)
    present = jnp.broadcast_to(weight > 0, logits.shape)
    # Relative to the largest of its own class: none is lost to float32, however far from 0.
    largest = jax.ops.segment_max(
        jax.lax.stop_gradient(jnp.where(present, logits, -jnp.inf)), groups.label, num_classes
    )
    largest = jnp.where(largest > -jnp.inf, largest, 0.0)
    shares = jnp.exp(jnp.where(present, logits - largest[groups.label], -jnp.inf))
    total = exact_product(groups.of_class.T, shares)
    return jnp.where(total > 0, jnp.log(jnp.where(total > 0, total, 1.0)) + largest, 0.0)


def _positive(
    z: Float[Array, "b d"],
    groups: _Groups,
    temperature: float,
    attraction: Float[Array, ""] | float,
) -> Float[Array, " k"]:
    """The numerator of each class, as a share of the fixed one: e^((P - 1) / T)."""
    of_class = groups.of_class
    # A zero known before tracing costs no second pass over the pairs.
    if isinstance(attraction, float) and attraction == 0:
        return jnp.ones(of_class.shape[1])

    def pull(cosine, a, b):
        (label_of_a, a), (label_of_b, b) = a, b
        alike = (label_of_a == label_of_b) & (a != b)
        return jnp.where(alike, jnp.exp((cosine - 1) / temperature), 0.0)

    weight = of_class.sum(1, keepdims=True)
    pulled = pair_sums(pull, z, (groups.label, jnp.arange(len(z))), weight)
    together = exact_product(of_class.T, pulled)[:, 0]
    # Exactly zero for one example alone, which a difference of squares is not.
    pairs = (of_class * (of_class.sum(0) - of_class)).sum(0)
    real = jnp.where(pairs > 0, together / jnp.where(pairs > 0, pairs, 1.0), 1.0)
    # Bounded so that its square, in the gradient, is no zero in float32.
    return 1 - attraction + attraction * jnp.maximum(real, 1e-18)
