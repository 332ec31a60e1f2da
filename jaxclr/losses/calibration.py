r"""Whom each example takes for its neighbours, and whom it should.

Symbols: ``z`` unit vectors of a batch, :math:`d^2_{ij} = \lVert z_i - z_j \rVert^2`,
:math:`\sigma^2` the scale, :math:`\rho` the degrees of freedom. A neighbourhood is a distribution
over all *other* examples :math:`j \ne i`, Gaussian or of Student's t:

.. math::
    G_i(j) \propto \exp\Big(-\frac{d^2_{ij}}{2 \sigma^2}\Big), \qquad
    S_i(j) \propto \Big(1 + \frac{d^2_{ij}}{\rho \sigma^2}\Big)^{-(\rho + 1) / 2}.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxclr.losses.blocks import pair_sums
from jaxclr.losses.crowd import Crowd, LogKernel, crowd, kernel, log_of, relative
from jaxclr.losses.reduce import unit


def gaussian_t_calibration(
    embedding: Num[Array, "b d"],
    *,
    scale2: float = 0.5,
    dof: float = 3.0,
    anchor_weight: Num[Array, " b"] | None = None,
) -> Float[Array, " b"]:
    r"""Divergence of each example's t neighbourhood from its Gaussian one, which is held fixed.

    .. math:: \ell_i = w_i \sum_{j \ne i} G_i(j) \big(\log G_i(j) - \log S_i(j)\big)

    No gradient reaches :math:`G`, nor :math:`w`. The t has the heavier tail, so that near examples
    (:math:`G > S`) are pulled in and far ones (:math:`G < S`) are pushed off.

    Args:
        embedding: Vectors of any float type; scaled to length one here, so their own scale is
            free. A zero row is at cosine 0, hence at squared distance 2, from all others.
        scale2: :math:`\sigma^2 > 0` of both kernels; 0.5 is a temperature of 0.5 in SimCLR.
        dof: :math:`\rho`, above 2 in the paper; as it grows, the t becomes the Gaussian.
        anchor_weight: :math:`w \ge 0`, in the paper 1 / :func:`neighbourhood_entropy`; 1 where
            not given.

    Returns:
        One loss per example, in nats if unweighted; never negative beyond rounding. 0 where an
        example has fewer than two others.

    References:
        `A Generalized Learning Framework for Self-Supervised Contrastive Learning
        <https://arxiv.org/abs/2508.13596>`_, 2025, its distribution calibration, summed over the
        anchors. The Gaussian, the t of the same scale and the fixed side are the paper's. The
        normalisation over a batch, the exponent and the scale are our reconstruction: kernels
        that are not normalised only attract, and with the exponent of a t in ``d`` dimensions,
        :math:`(\rho + d) / 2`, the forces may change their signs.
    """
    if len(embedding) < 3:
        return jnp.zeros(len(embedding))
    gaussian, student = _gaussian(scale2), _student(scale2, dof)
    z, others, one = _all_others(embedding, scale2, dof)

    def push(cosine, a, b):
        of_gaussian = relative(gaussian, jax.lax.stop_gradient(cosine), a)
        of_student = relative(student, cosine, a)
        held = kernel(of_gaussian, a, b)
        return held, held * (of_gaussian - of_student), kernel(of_student, a, b)

    held, gap, moving = (x[:, 0] for x in pair_sums(push, z, others, one))
    divergence = gap / held + jnp.log(moving) - jnp.log(held)
    if anchor_weight is None:
        return divergence
    return jax.lax.stop_gradient(anchor_weight.astype(jnp.float32)) * divergence


def neighbourhood_entropy(
    prior: Num[Array, "b p"], *, scale2: float = 0.5, dof: float = 3.0
) -> Float[Array, " b"]:
    r"""Entropy of each example's neighbourhood as a frozen encoder sees it.

    .. math:: H_i = -\sum_{j \ne i} S_i(j) \log S_i(j)

    High for an outlier, which is about as far from everybody: :math:`1 / H_i` is how far an
    anchor is relied upon. Nothing here has a gradient.

    Args:
        prior: Features of a frozen encoder, of any float type; scaled to length one here.
        scale2: :math:`\sigma^2 > 0`.
        dof: :math:`\rho > 0`.

    Returns:
        One entropy per example in nats, at least a tenth of the greatest possible, which is
        :math:`\log(b - 1)`, and of :math:`\log 2` where that is smaller: ``1 / H`` is finite.

    References:
        `A Generalized Learning Framework for Self-Supervised Contrastive Learning
        <https://arxiv.org/abs/2508.13596>`_, 2025; the floor is ours.
    """
    student = _student(scale2, dof)
    z, others, one = _all_others(prior, scale2, dof)

    def push(cosine, a, b):
        logits = relative(student, cosine, a)
        held = kernel(logits, a, b)
        return held, held * logits

    held, surprise = (x[:, 0] for x in pair_sums(push, z, others, one))
    entropy = log_of(held) - surprise / jnp.where(held > 0, held, 1.0)
    floor = 0.1 * math.log(max(len(prior) - 1, 2))
    return jax.lax.stop_gradient(jnp.maximum(entropy, floor))


def local_preservation(
    embedding: Num[Array, "b d"],
    prior: Num[Array, "b p"],
    *,
    scale2: float = 0.5,
    dof: float = 3.0,
) -> Float[Array, " b"]:
    r"""Cross-entropy of each example's neighbourhood against the one a frozen encoder sees.

    .. math:: \ell_i = -\sum_{j \ne i} S^\text{prior}_i(j) \log S_i(j)

    It is to be minimised: minus the summand that the paper maximises. It is least, and then the
    entropy of :math:`S^\text{prior}_i`, where both neighbourhoods agree.

    Args:
        embedding: Vectors of any float type; scaled to length one here. A zero row is at squared
            distance 2 from all others.
        prior: Features of the same examples by a frozen encoder, of any float type; scaled to
            length one here. They get no gradient.
        scale2: :math:`\sigma^2 > 0` of both neighbourhoods.
        dof: :math:`\rho > 0` of both neighbourhoods.

    Returns:
        One loss per example in nats, never negative beyond rounding; 0 where an example has fewer
        than two others.

    References:
        `A Generalized Learning Framework for Self-Supervised Contrastive Learning
        <https://arxiv.org/abs/2508.13596>`_, 2025, its local preservation. The form is our
        reconstruction: up to a constant, the log-density of a Dirichlet distribution of
        :math:`\alpha = 1 + S^\text{prior}_i`; with :math:`\alpha = S^\text{prior}_i`, the other
        reading, it has no bound.
    """
    if len(embedding) < 3:
        return jnp.zeros(len(embedding))
    student = _student(scale2, dof)
    z, others, one = _all_others(embedding, scale2, dof)
    z_prior, others_of_prior, _ = _all_others(prior, scale2, dof)

    def push(cosines, a, b):
        (cosine, of_prior), (a, a_of_prior), (b, b_of_prior) = cosines, a, b
        logits = relative(student, cosine, a)
        fixed = relative(student, jax.lax.stop_gradient(of_prior), a_of_prior)
        held = kernel(fixed, a_of_prior, b_of_prior)
        return held, held * logits, kernel(logits, a, b)

    sums = pair_sums(push, (z, z_prior), (others, others_of_prior), one)
    held, surprise, moving = (x[:, 0] for x in sums)
    return jnp.log(moving) - surprise / held


def _gaussian(scale2: float) -> LogKernel:
    """Of a cosine, whose squared distance is in [0, 4]: no root, whose slope at 0 is infinite."""
    return lambda cosine: (cosine - 1) / scale2


def _student(scale2: float, dof: float) -> LogKernel:
    """Likewise; rounding may take a cosine beyond 1."""
    return lambda cosine: (
        -(dof + 1) / 2 * jnp.log1p(jnp.maximum(2 - 2 * cosine, 0) / (dof * scale2))
    )


def _all_others(
    vectors: Num[Array, "b d"], scale2: float, dof: float
) -> tuple[Float[Array, "b d"], Crowd, Float[Array, "b 1"]]:
    """The vectors' directions, all but itself as the crowd of each, and one for each."""
    z, b = unit(vectors), len(vectors)
    span = max(2 / scale2, (dof + 1) / 2 * math.log1p(4 / (dof * scale2)))
    return z, crowd(z, jnp.arange(b), jnp.ones(b, bool), span=span), jnp.ones((b, 1))
