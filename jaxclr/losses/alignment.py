r"""How differently the vectors of two domains are spread: what aligning domains makes small.

Symbols: ``x`` vectors of width ``d``, not scaled; :math:`D_i` the examples of domain ``i``.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from jaxclr.losses.blocks import over_blocks
from jaxclr.losses.reduce import exact_product

INVERSE_WIDTHS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def moment_distance(
    vectors: Num[Array, "b d"], domain: Int[Array, " b"], *, num_domains: int
) -> tuple[Float[Array, "n n"], Bool[Array, "n n"]]:
    r"""How far the means and the covariances of two domains are from each other.

    .. math::
        \ell_{ij} = \frac{1}{d} \lVert \mu_i - \mu_j \rVert^2
            + \frac{1}{d^2} \lVert C_i - C_j \rVert_F^2, \qquad
        C_i = \frac{1}{|D_i| - 1} \sum_{a \in D_i} (x_a - \mu_i)(x_a - \mu_i)^\top

    Args:
        vectors: ``x``, of any float type; their scale counts.
        domain: Domain of each example; one outside ``[0, num_domains)`` leaves the example out.
        num_domains: ``n``.

    Returns:
        The distance of every ordered pair of domains, symmetric and never negative, and whether
        the pair exists: two different domains with an example each. Where it does not, the
        distance is 0. The covariance of one example alone counts as 0.

    References:
        Sun, Saenko, `Deep CORAL <https://arxiv.org/abs/1607.01719>`_, 2016, eq. 1, which has the
        covariances alone, over :math:`4 d^2`; the means beside them, and the scale, as in
        Gulrajani, Lopez-Paz, `DomainBed <https://arxiv.org/abs/2007.01434>`_, 2021 (their code).
    """
    x, of_domain = vectors.astype(jnp.float32), jax.nn.one_hot(domain, num_domains)
    count = of_domain.sum(0)
    mean = exact_product(of_domain.T, x) / jnp.maximum(count, 1)[:, None]

    def covariance(share: Float[Array, " b"], mean: Float[Array, " d"], count: Float[Array, ""]):
        # Of ones and zeros, which are their own squares.
        centred = (x - mean) * share[:, None]
        return exact_product(centred.T, centred) / jnp.maximum(count - 1, 1)

    covariances = jax.vmap(covariance, in_axes=(1, 0, 0))(of_domain, mean, count)
    there, d = count > 0, x.shape[1]
    by_means = _squared_distances(mean, there) / d
    by_covariances = _squared_distances(covariances.reshape(num_domains, -1), there) / d**2
    exists = _pairs(there)
    return jnp.where(exists, by_means + by_covariances, 0.0), exists


def kernel_distance(
    vectors: Num[Array, "b d"],
    domain: Int[Array, " b"],
    *,
    num_domains: int,
    inverse_widths: Sequence[float] = INVERSE_WIDTHS,
) -> tuple[Float[Array, "n n"], Bool[Array, "n n"]]:
    r"""Squared maximum mean discrepancy of two domains, by a sum of Gaussian kernels.

    .. math::
        \ell_{ij} = K_{ii} + K_{jj} - 2 K_{ij}, \qquad
        K_{ij} = \mathop{\mathrm{mean}}_{a \in D_i,\, b \in D_j}
            \sum_\gamma e^{-\gamma \lVert x_a - x_b \rVert^2}

    Each example is a pair with itself, too: the estimate is never negative, and biased upwards.

    Args:
        vectors: ``x``, of any float type; their scale counts.
        domain: Domain of each example; one outside ``[0, num_domains)`` leaves the example out.
        num_domains: ``n``.
        inverse_widths: :math:`\gamma > 0`; small ones see far, large ones near.

    Returns:
        The distance of every ordered pair of domains, symmetric, in [0, 2] for each kernel up to
        rounding, and whether the pair exists: two different domains with an example each. Where it
        does not, the distance is 0.

    References:
        Li, Pan, Wang, Kot, `Domain Generalization with Adversarial Feature Learning
        <https://openaccess.thecvf.com/content_cvpr_2018/html/Li_Domain_Generalization_With_CVPR_2018_paper.html>`_,
        2018, the MMD of pairs of domains; without their autoencoder, and with these widths, as in
        Gulrajani, Lopez-Paz, `DomainBed <https://arxiv.org/abs/2007.01434>`_, 2021 (their code).
    """
    x, of_domain = vectors.astype(jnp.float32), jax.nn.one_hot(domain, num_domains)
    # Distances are differences of squares, which are smaller, and so more exact, near the middle.
    x = x - jax.lax.stop_gradient(x.mean(0))
    place, squared = jnp.arange(len(x)), (x**2).sum(1)

    def add(sums: Float[Array, "b n"], block):
        others, squared_others, place_of_others, share = block
        apart = squared[:, None] + squared_others - 2 * exact_product(x, others.T)
        itself = place[:, None] == place_of_others
        apart = jnp.maximum(jnp.where(itself, 0.0, apart), 0.0)
        near = jnp.zeros_like(apart)
        for width in inverse_widths:
            near += jnp.exp(-width * apart)
        return sums + exact_product(near, share)

    rows = (x, squared, place, of_domain)
    # Computed anew on the way back, a block of the kernels is all that is ever there.
    sums = over_blocks(jax.checkpoint(add), jnp.zeros_like(of_domain), rows)
    count = of_domain.sum(0)
    kernel = exact_product(of_domain.T, sums) / jnp.maximum(count[:, None] * count, 1)
    own, exists = jnp.diagonal(kernel), _pairs(count > 0)
    return jnp.where(exists, own[:, None] + own - kernel - kernel.T, 0.0), exists


def _squared_distances(rows: Float[Array, "n m"], there: Bool[Array, " n"]) -> Float[Array, "n n"]:
    """Of few long rows, without an array of all pairs; exact where the rows are nearly equal."""
    share = there / jnp.maximum(there.sum(), 1)
    rows = rows - (share[:, None] * rows).sum(0)
    gram = exact_product(rows, rows.T)
    own = jnp.diagonal(gram)
    return jnp.maximum(own[:, None] + own - gram - gram.T, 0.0)


def _pairs(there: Bool[Array, " n"]) -> Bool[Array, "n n"]:
    return there[:, None] & there & ~jnp.eye(len(there), dtype=bool)
