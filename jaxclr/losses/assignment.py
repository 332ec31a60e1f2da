"""Assignments of a batch to classes whose shares are known beforehand."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num


def sinkhorn(
    scores: Num[Array, "b k"],
    *,
    prior: Num[Array, " k"] | None = None,
    temperature: float = 0.05,
    iterations: int = 3,
) -> Float[Array, "b k"]:
    r"""Class probabilities of a batch that nearly keep to a prior over the classes.

    .. math::
        Q_{ic} = u_i \, e^{s_{ic} / T} \, v_c, \qquad
        \sum_c Q_{ic} = 1, \quad \sum_i Q_{ic} \to b \, \pi_c

    Columns, then rows, are scaled to their sums in turn, as logarithms: nothing overflows as long
    as :math:`s / T` itself does not. SwAV takes the result for a target, without a gradient; it
    has one here, through ``scores`` only, and who uses it so stops it.

    Args:
        scores: Cosines or logits ``s``, of any float type.
        prior: Share :math:`\pi \ge 0` of each class, on any scale, some of it positive; the same
            for all where not given. A class of share 0 gets nothing.
        temperature: ``T > 0``; small values come near to hard assignments.
        iterations: How often both sums are restored. After none it is the softmax.

    Returns:
        One probability per example and class. Rows sum to 1, columns only nearly to their share,
        the nearer the more iterations. A batch of one example gets the prior itself.

    References:
        Caron et al., `SwAV <https://arxiv.org/abs/2006.09882>`_, 2020, eq. 3-5 and its appendix;
        Cuturi, `Sinkhorn Distances <https://arxiv.org/abs/1306.0895>`_, 2013. Any other prior
        than the uniform one is ours.
    """
    logits = scores.astype(jnp.float32) / temperature
    b, k = logits.shape
    share = jnp.ones(k) if prior is None else prior.astype(jnp.float32)
    log_share = jnp.log(jax.lax.stop_gradient(share))

    def balance(_, log_factors):
        of_row, _ = log_factors
        of_column = log_share - jax.nn.logsumexp(logits + of_row[:, None], axis=0)
        return -jax.nn.logsumexp(logits + of_column, axis=1), of_column

    start = jnp.zeros(b), jnp.zeros(k)
    _, of_column = jax.lax.fori_loop(0, iterations, balance, start)
    # The last rows anew: large logits leave their factors too rounded to sum to one.
    return jax.nn.softmax(logits + of_column)
