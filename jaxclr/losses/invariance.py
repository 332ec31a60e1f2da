r"""What asks that all domains be served alike: penalties on their risks.

Symbols: :math:`D_i` the examples of domain ``i``, :math:`R_i` its risk: the mean loss of its
examples.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num


def domain_means(
    values: Num[Array, " b"], domain: Int[Array, " b"], *, num_domains: int
) -> tuple[Float[Array, " n"], Bool[Array, " n"]]:
    r"""The mean of each domain: of losses, its risk.

    .. math:: R_i = \frac{1}{|D_i|} \sum_{a \in D_i} v_a

    Args:
        values: ``v``, one of each example, of any number type.
        domain: Domain of each example; one outside ``[0, num_domains)`` leaves the example out.
        num_domains: ``n``.

    Returns:
        The means in float32, and whether the domain has an example; where not, the mean is 0.
    """
    of_domain = jax.nn.one_hot(domain, num_domains)
    count = of_domain.sum(0)
    # A sum of products, where a product of matrices may be less exact.
    total = (of_domain * values.astype(jnp.float32)[:, None]).sum(0)
    return total / jnp.maximum(count, 1), count > 0


def invariance_penalty(
    logits: Num[Array, "b k"],
    label: Int[Array, " b"],
    domain: Int[Array, " b"],
    half: Int[Array, " b"],
    *,
    num_domains: int,
) -> tuple[Float[Array, " n"], Bool[Array, " n"]]:
    r"""How far the classifier is from being the best one for each domain by itself (IRMv1).

    The squared slope of a domain's risk in a factor ``s`` of the logits ``f``, at 1, as the product
    of the slopes of two halves of the domain:

    .. math::
        \ell_i = g_{i0} \, g_{i1}, \qquad
        g_{ih} = \mathop{\mathrm{mean}}_{a \in D_i,\, h_a = h}
            \frac{\partial}{\partial s} \Big[-\log \mathrm{softmax}(s f_a)_{y_a}\Big]_{s = 1}
            = \mathop{\mathrm{mean}}_{a} \Big(\sum_c p_{ac} f_{ac} - f_{a y_a}\Big)

    Halves drawn independently make it an unbiased estimate of the square, which is why it may be
    negative; the square of the whole domain's slope would be biased upwards.

    Args:
        logits: ``f``, of any float type; computed in float32.
        label: ``y``, class indices in ``[0, k)``.
        domain: Domain of each example; one outside ``[0, num_domains)`` leaves the example out.
        half: 0 or 1: which half of its domain an example is in.
        num_domains: ``n``.

    Returns:
        The penalty of each domain in squared nats, of either sign, and whether both its halves
        have an example; where not, the penalty is 0.

    References:
        Arjovsky, Bottou, Gulrajani, Lopez-Paz, `Invariant Risk Minimization
        <https://arxiv.org/abs/1907.02893>`_, 2019, IRMv1 (section 3) and its unbiased estimate
        by two batches; halves of one batch as in DomainBed's code.
    """
    f, k = logits.astype(jnp.float32), logits.shape[-1]
    # Relative to the label's logit, so that what is large in all of them takes no digits away.
    own = (f * jax.nn.one_hot(label, k)).sum(-1, keepdims=True)
    slope = (jax.nn.softmax(f) * (f - own)).sum(-1)
    by_half, there = domain_means(slope, 2 * domain + half, num_domains=2 * num_domains)
    exists = there.reshape(num_domains, 2).all(1)
    return jnp.where(exists, by_half.reshape(num_domains, 2).prod(1), 0.0), exists


def risk_extrapolation(
    values: Num[Array, " b"], domain: Int[Array, " b"], *, num_domains: int
) -> tuple[Float[Array, " n"], Bool[Array, " n"]]:
    r"""How far each domain's risk is from the mean of the domains' risks (V-REx).

    .. math:: \ell_i = (R_i - \mathop{\mathrm{mean}}_j R_j)^2

    so that the mean over domains is the variance of their risks.

    Args:
        values: Losses, one of each example, of any number type.
        domain: Domain of each example; one outside ``[0, num_domains)`` leaves the example out.
        num_domains: ``n``.

    Returns:
        One value per domain in squared nats, never negative, and whether the domain has an
        example; where not, the value is 0 and the domain is not in the mean. It is 0 where there
        is one domain alone.

    References:
        Krueger et al., `Out-of-Distribution Generalization via Risk Extrapolation
        <https://arxiv.org/abs/2003.00688>`_, 2021, V-REx (section 3); the mean and not the sum of
        the risks stands beside it, as in DomainBed.
    """
    risk, exists = domain_means(values, domain, num_domains=num_domains)
    mean = jnp.where(exists, risk, 0.0).sum() / jnp.maximum(exists.sum(), 1)
    return jnp.where(exists, (risk - mean) ** 2, 0.0), exists


def tilted_shares(
    share: Num[Array, " n"], risk: Num[Array, " n"], *, step_size: float = 0.01
) -> Float[Array, " n"]:
    r"""Moves the shares of the domains toward those that are served worst (group DRO).

    .. math:: q_i' = \frac{q_i e^{\eta R_i}}{\sum_j q_j e^{\eta R_j}}

    Args:
        share: ``q``, not negative, on any scale; less than 1e-30 counts as that much, so that a
            domain can come back. It gets no gradient.
        risk: ``R`` in nats. It gets no gradient.
        step_size: :math:`\eta \ge 0`; at 0 shares stay as they are.

    Returns:
        The shares :math:`q'` in [0, 1], of sum one.

    References:
        Sagawa, Koh, Hashimoto, Liang, `Distributionally Robust Neural Networks for Group Shifts
        <https://arxiv.org/abs/1911.08731>`_, 2020, algorithm 1.
    """
    share, risk = jax.lax.stop_gradient((share.astype(jnp.float32), risk.astype(jnp.float32)))
    return jax.nn.softmax(jnp.log(jnp.maximum(share, 1e-30)) + step_size * risk)
