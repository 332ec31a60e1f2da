"""Losses on class probabilities."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Num


def cross_entropy(logits: Num[Array, "b k"], label: Int[Array, " b"]) -> Float[Array, " b"]:
    """Negative log-likelihood of ``label``, in nats.

    Args:
        logits: Unnormalised log-probabilities of any float type; computed in float32.
        label: Class indices in ``[0, k)``.

    Returns:
        One loss per example, never negative.
    """
    return optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), label)


def soft_cross_entropy(logits: Num[Array, "b k"], target: Num[Array, "b k"]) -> Float[Array, " b"]:
    r"""Cross-entropy to a whole distribution over classes, in nats.

    .. math:: \ell_a = -\sum_c t_{ac} \log p_{ac}

    At a target with all its mass on one class it is :func:`cross_entropy`.

    Args:
        logits: Unnormalised log-probabilities of any float type; computed in float32.
        target: :math:`t`, not negative. Rows sum to one; a row of zeros costs nothing.

    Returns:
        One loss per example, at least the entropy of its target.
    """
    return optax.softmax_cross_entropy(logits.astype(jnp.float32), target.astype(jnp.float32))


def probability_distance(
    logits: Num[Array, "b k"], target: Num[Array, "b k"]
) -> Float[Array, " b"]:
    r"""Mean squared difference of stated probabilities and a distribution over classes.

    .. math:: \ell_a = \frac{1}{k} \sum_c (p_{ac} - t_{ac})^2

    Where prediction and target both are sure of something else, it hardly has a slope, while
    a cross-entropy has its steepest: a wrong target does less harm.

    Args:
        logits: Unnormalised log-probabilities of any float type; computed in float32.
        target: :math:`t`, not negative; rows sum to one.

    Returns:
        One loss per example in [0, 2 / k].

    References:
        Tarvainen, Valpola, `Mean teachers are better role models
        <https://arxiv.org/abs/1703.01780>`_, 2017, section 2; the mean over classes as in the
        authors' code.
    """
    return ((jax.nn.softmax(logits.astype(jnp.float32)) - target.astype(jnp.float32)) ** 2).mean(-1)


def negative_learning(logits: Num[Array, "b k"], label: Int[Array, " b"]) -> Float[Array, " b"]:
    r"""Log-unlikelihood of every class but ``label``, in nats: what an example is not.

    .. math:: \ell_a = -\sum_{c \ne y_a} \log(1 - p_{ac})

    Nothing is said of the label itself but what is left to it. With one class the loss is 0.

    Args:
        logits: Unnormalised log-probabilities of any float type; computed in float32.
        label: :math:`y`, class indices in ``[0, k)``.

    Returns:
        One loss per example, never negative; it grows like the lead of a wrong class's logit.

    References:
        Kim, Yim, Yun, Kim, `NLNL: Negative Learning for Noisy Labels
        <https://arxiv.org/abs/1908.07387>`_, 2019, equation 2, which draws one wrong class at
        random; the sum over all of them is ours.
    """
    num_classes = logits.shape[-1]
    log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
    is_top = jax.nn.one_hot(log_p.argmax(-1), num_classes, dtype=bool)
    # 1 - p loses all digits where p is near 1, which only the likeliest class can be: there it
    # is the sum of the others. All other classes have p <= 1/2.
    of_top = jax.nn.logsumexp(log_p, axis=-1, where=~is_top)
    of_others = jnp.log1p(-jnp.where(is_top, 0.0, jnp.exp(log_p)))
    log_not = jnp.where(is_top, of_top[:, None], of_others)
    return -jnp.where(jax.nn.one_hot(label, num_classes, dtype=bool), 0.0, log_not).sum(-1)
