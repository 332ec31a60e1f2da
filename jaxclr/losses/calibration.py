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
    squared = _squared_distance(embedding)
    gaussian = jax.lax.stop_gradient(_log_neighbours(-squared / (2 * scale2)))
    student = _log_student(squared, scale2, dof)
    divergence = (jnp.exp(gaussian) * (gaussian - student)).sum(-1)
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
    log_prior = _log_student(_squared_distance(prior), scale2, dof)
    entropy = -(jnp.exp(log_prior) * log_prior).sum(-1)
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
    log_prior = _log_student(_squared_distance(prior), scale2, dof)
    log_student = _log_student(_squared_distance(embedding), scale2, dof)
    return -(jax.lax.stop_gradient(jnp.exp(log_prior)) * log_student).sum(-1)


def _squared_distance(vectors: Num[Array, "b d"]) -> Float[Array, "b b"]:
    """Between the rows' directions, in [0, 4]."""
    z = unit(vectors)
    # Of cosines: no root, whose slope at 0 is infinite. Rounding may take them beyond 1.
    return jnp.maximum(2 - 2 * jnp.matmul(z, z.T, precision="highest"), 0)


def _log_student(squared: Float[Array, "b b"], scale2: float, dof: float) -> Float[Array, "b b"]:
    """The log-neighbourhood by Student's t."""
    return _log_neighbours(-(dof + 1) / 2 * jnp.log1p(squared / (dof * scale2)))


def _log_neighbours(log_kernel: Float[Array, "b b"]) -> Float[Array, "b b"]:
    """Normalises each row over all others; oneself has probability 0, unless alone."""
    itself = jnp.eye(len(log_kernel), dtype=bool)
    # Lowest, not infinite: its product with a probability of 0 is 0, and one row alone has a sum.
    return jax.nn.log_softmax(jnp.where(itself, jnp.finfo(jnp.float32).min, log_kernel))
