r"""Contrast between classes: examples of one label attract, all others repel.

Symbols: ``z`` unit embeddings, :math:`s_{ab} = z_a^\top z_b` their cosines, ``y`` a label, given
or guessed, ``T`` the temperature.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from jaxclr.losses.blocks import pair_sums
from jaxclr.losses.crowd import crowd, kernel, log_of, relative
from jaxclr.losses.reduce import unit


def supervised_contrastive(
    embedding: Num[Array, "b d"],
    label: Int[Array, " b"],
    weight: Num[Array, " b"],
    *,
    temperature: float = 0.1,
) -> tuple[Float[Array, " b"], Float[Array, " b"]]:
    r"""Cross-entropy of finding the examples of an anchor's label among all examples.

    With :math:`P(a) = \{p \ne a : y_p = y_a\}` and the weights :math:`m`,

    .. math::
        \ell_a = -\frac{1}{\sum_{p \in P(a)} m_p} \sum_{p \in P(a)} m_p
            \log \frac{e^{s_{ap} / T}}{\sum_{b \ne a} m_b \, e^{s_{ab} / T}}

    which for weights of 1 and 0 is SupCon's :math:`L_{out}` on the examples of weight 1.

    Args:
        embedding: Vectors of any float type; scaled to length one here. A zero row is at cosine 0
            from all others, with a finite gradient.
        label: Class of each example, given or guessed: any integers, compared for equality only.
        weight: How far each example is relied upon, in [0, 1], as a positive and as a negative of
            others; at 0 it is neither, nor an anchor. It does not scale the anchor's own loss:
            a mean weighted by ``weight * counts`` does. It gets no gradient.
        temperature: ``T > 0``; small values attend to the nearest examples only.

    Returns:
        The loss of every anchor in nats, and 1 where it counts, else 0: the anchor is relied
        upon, and so is another example of its label. Where it does not count, the loss is 0 with
        zero gradient. Where all weights are 1 or 0 it is never negative, but for rounding.

    References:
        Khosla et al., `Supervised Contrastive Learning <https://arxiv.org/abs/2004.11362>`_,
        2020, eq. 2. The weights are ours.
    """
    weight = weight.astype(jnp.float32)
    loss, exists = _toward_own_label(unit(embedding), label, weight, temperature)
    counts = exists & (weight > 0)
    return jnp.where(counts, loss, 0.0), counts.astype(jnp.float32)


def semi_supervised_contrastive(
    embedding: Num[Array, "b d"],
    label: Int[Array, " b"],
    weight: Num[Array, " b"],
    prototypes: Num[Array, "k d"],
    *,
    temperature: float = 0.1,
) -> tuple[Float[Array, " b+k"], Float[Array, " b+k"]]:
    r"""Cross-entropy of finding one's own label among all examples and the classes' prototypes.

    Over the :math:`N = b + k` anchors, examples first and prototypes last, with
    :math:`P(a) = \{p \ne a : y_p = y_a\}` and :math:`w` the weight,

    .. math::
        \ell_a = \frac{w_a N}{\sum_b w_b} \cdot \frac{-1}{|P(a)|} \sum_{p \in P(a)}
            \log \frac{e^{s_{ap} / T}}{\sum_{b \ne a} e^{s_{ab} / T}}

    Prototype ``c`` has the label ``c`` and the weight 1. An example without a trusted class has a
    label of its own, which only its other views share: they attract each other, and repel all
    else. Averaged over the anchors that have a positive, ``masked_mean(loss, counts)``, this is
    the whole loss of the paper. For an anchor alone with the prototypes, and ``T = 1``, it is
    the cross-entropy of the logits :math:`z_a^\top c`.

    Args:
        embedding: Vectors of any float type; scaled to length one here. A zero row is at cosine 0
            from all others, with a finite gradient.
        label: In ``[0, k)`` a class, given or guessed; from ``k`` on anything that tells images
            apart, such as ``k + index``.
        weight: Not negative; scales the example's own loss as an anchor. Whatever it is, even 0,
            the example attracts those of its label and stands in every denominator.
        prototypes: One trainable vector per class; scaled to length one here.
        temperature: ``T > 0``; small values attend to the nearest vectors only.

    Returns:
        The loss of every anchor in nats, never negative but for rounding, and 1 where the anchor
        has a positive, else 0. Where it has none, as a prototype whose class is absent, the loss
        is 0 with zero gradient.

    References:
        Gauffre, Horvat, Amini, `A Unified Contrastive Loss for Self-Training
        <https://arxiv.org/abs/2409.07292>`_, 2024.
    """
    classes = jnp.arange(len(prototypes), dtype=label.dtype)
    weights = jnp.concatenate([weight.astype(jnp.float32), jnp.ones(len(prototypes), jnp.float32)])
    z = jnp.concatenate([unit(embedding), unit(prototypes)])
    labels = jnp.concatenate([label, classes])
    loss, exists = _toward_own_label(z, labels, jnp.ones(len(z)), temperature)
    return weights * len(z) / weights.sum() * loss, exists.astype(jnp.float32)


def _toward_own_label(
    z: Float[Array, "n d"],
    label: Int[Array, " n"],
    weight: Float[Array, " n"],
    temperature: float,
) -> tuple[Float[Array, " n"], Bool[Array, " n"]]:
    """SupCon's loss of each anchor among weighted others, and whether it has a positive."""

    def log_kernel(cosine):
        return cosine / temperature

    def push(cosine, a, b):
        (a, label_of_a), (b, label_of_b) = a, b
        logits = relative(log_kernel, cosine, a)
        # Labels are compared in pairs: nothing bounds them, so that none can be one-hot.
        positive = jnp.where((label_of_a == label_of_b) & (a.key != b.key), 1.0, 0.0)
        return kernel(logits, a, b), positive * logits, positive

    all_others = crowd(z, jnp.arange(len(z)), weight > 0, span=2 / temperature)
    sums = pair_sums(push, z, (all_others, label), weight[:, None])
    repulsion, attraction, total = (x[:, 0] for x in sums)
    exists = total > 0
    loss = log_of(repulsion) - attraction / jnp.where(exists, total, 1.0)
    return jnp.where(exists, loss, 0.0), exists
