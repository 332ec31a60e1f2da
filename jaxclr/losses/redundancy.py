"""Agreement of two views without negatives: by direction, by decorrelation, by whitening."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxclr.losses.reduce import unit


def cosine_distance(first: Num[Array, "b d"], second: Num[Array, "b d"]) -> Float[Array, " b"]:
    r"""How far two views of an example are from the same direction.

    .. math:: \ell_i = 1 - \frac{u_i^\top v_i}{\lVert u_i \rVert \lVert v_i \rVert}

    BYOL's squared distance of unit vectors is twice it, SimSiam's negative cosine is it minus one.
    Both views get a gradient: whoever wants a fixed target stops it before.

    Args:
        first: Vectors ``u`` of one view, of any float type and scale.
        second: Vectors ``v`` of the other view.

    Returns:
        One loss per example in [0, 2], up to rounding; 1 where a vector is zero.

    References:
        Grill et al., `BYOL <https://arxiv.org/abs/2006.07733>`_, 2020, eq. 2; Chen, He, `SimSiam
        <https://arxiv.org/abs/2011.10566>`_, 2020, eq. 1.
    """
    return 1 - (unit(first) * unit(second)).sum(-1)


def barlow_twins(
    first: Num[Array, "b d"], second: Num[Array, "b d"], *, off_diagonal: float = 0.0051
) -> Float[Array, " d"]:
    r"""How far each feature is from agreeing across views, and with no other feature.

    .. math:: \ell_i = (1 - C_{ii})^2 + \lambda \sum_{j \ne i} C_{ij}^2

    with :math:`C_{ij}` in [-1, 1] the correlation over the batch of feature ``i`` in the first
    view with feature ``j`` in the second.

    Args:
        first: Features of one view, of any float type; each feature's mean and scale are free.
        second: Features of the other view of the same examples.
        off_diagonal: :math:`\lambda \ge 0`, what redundancy counts beside disagreement.

    Returns:
        One loss per *feature*, never negative; the paper's is their sum. A feature that is
        constant over the batch correlates with none, and costs 1.

    References:
        Zbontar et al., `Barlow Twins <https://arxiv.org/abs/2103.03230>`_, 2021, eq. 1 and 2.
    """
    # Columns of length one: their products are the correlations.
    by_feature = unit(_centred(first).T), unit(_centred(second).T)
    correlation = jnp.matmul(by_feature[0], by_feature[1].T, precision="highest")
    agreement = jnp.diagonal(correlation)
    redundancy = (correlation * (1 - jnp.eye(len(correlation)))) ** 2
    return (1 - agreement) ** 2 + off_diagonal * redundancy.sum(-1)


def whitening_mse(
    first: Num[Array, "b d"], second: Num[Array, "b d"], *, epsilon: float = 1e-3
) -> Float[Array, " b"]:
    r"""Squared distance between the directions of two views, each whitened by itself.

    .. math:: \ell_i = \Big\lVert \frac{W(u)_i}{\lVert W(u)_i \rVert}
        - \frac{W(v)_i}{\lVert W(v)_i \rVert} \Big\rVert^2

    with ``W`` as in :func:`whiten`, which keeps the views from collapsing. Both get a gradient.

    Args:
        first: Features ``u`` of one view, of any float type.
        second: Features ``v`` of the other view of the same examples.
        epsilon: Shrinkage as in :func:`whiten`.

    Returns:
        One loss per example in [0, 4], up to rounding. It asks for more examples than features,
        twice as many in the paper: with ``b <= d`` it is finite, but there whitening puts all
        examples at one distance from each other, whatever they are (but for the shrinkage). 2
        where a whitened vector is zero.

    References:
        Ermolov et al., `Whitening for Self-Supervised Representation Learning
        <https://arxiv.org/abs/2007.06346>`_, 2020, section 3, on the whole batch at once: random
        slices of it are the caller's.
    """
    return 2 * cosine_distance(whiten(first, epsilon=epsilon), whiten(second, epsilon=epsilon))


def whiten(vectors: Num[Array, "b d"], *, epsilon: float = 1e-3) -> Float[Array, "b d"]:
    r"""Takes mean, scale and correlations out of a batch of features.

    .. math:: W(x) = L^{-1} (x - \mu), \qquad
        L L^\top = (1 - \varepsilon) \Sigma + \varepsilon \frac{\operatorname{tr} \Sigma}{d} I

    with :math:`\mu` the mean and :math:`\Sigma` the covariance of the batch, and ``L`` lower
    triangular: each feature is freed of those before it.

    Args:
        vectors: Features of any float type; one mean and one scale common to all are free.
        epsilon: Shrinkage in [0, 1] towards equal, uncorrelated features. At 0, which needs
            ``b > d`` and full rank, the result's covariance is exactly the identity.

    Returns:
        Whitened rows. All zero where all rows are equal, and for one row alone.

    References:
        Ermolov et al., `Whitening for Self-Supervised Representation Learning
        <https://arxiv.org/abs/2007.06346>`_, 2020, by the Cholesky factor as there. Shrinking
        relative to the features' own scale is ours, and so is the default: the paper shrinks not.
    """
    centred = _centred(vectors)
    b, d = centred.shape
    free = max(b - 1, 1)
    # At a mean variance of one the shrinkage bounds the condition, also where there is none.
    scaled = centred * jax.lax.rsqrt(jnp.maximum((centred**2).sum() / (free * d), 1e-12))
    covariance = jnp.matmul(scaled.T, scaled, precision="highest") / free
    factor = jnp.linalg.cholesky((1 - epsilon) * covariance + epsilon * jnp.eye(d))
    return jax.scipy.linalg.solve_triangular(factor, scaled.T, lower=True).T


def _centred(vectors: Num[Array, "b d"]) -> Float[Array, "b d"]:
    """Takes the batch's mean out of each feature, in float32."""
    vectors = vectors.astype(jnp.float32)
    # From one of them first: what is constant is then exactly zero, and not a rounded mean away.
    vectors = vectors - jax.lax.stop_gradient(vectors[:1])
    return vectors - vectors.mean(0)
