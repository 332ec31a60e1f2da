"""FBC-SA: features of weak views conform to guesses, by class means of one and another domain."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxclr.errors import InputError
from jaxclr.losses import cross_entropy, unit
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Bank, Method, Term, needed, over_domains
from jaxclr.types import Outputs, PseudoLabels, Sizes

OTHER, COUNT = 0, 1
"""What a draw is for. The terms draw the same other domain, as in the authors' code."""


@dataclasses.dataclass(frozen=True)
class DomainMeans(Bank):
    r"""Keeps, of every domain and class, the mean of the labeled images' unit features.

    .. math:: \mu_{dc} = \frac{1}{|M_{dc}|} \sum_{i \in M_{dc}} \frac{x_i}{\lVert x_i \rVert}

    The means are not scaled to length one again: :math:`z^\top \mu_{dc}` is the mean cosine with
    the images of the class. A class that a domain has no labeled image of is at zero, hence at
    cosine 0 from everything, without gradient; the authors' code makes it NaN.

    References:
        Galappaththige et al., `Towards Generalizing to Unseen Domains with Few Labels
        <https://arxiv.org/abs/2403.11674>`_, 2024, and its code. There the images of a domain go
        through the network in one batch, whose statistics are recorded; here in batches as large
        as a step's, and nothing is recorded.
    """

    def init(self, sizes: Sizes) -> Float[Array, "n k d"]:
        """Zeros."""
        return jnp.zeros((sizes.num_domains, sizes.num_classes, sizes.width))

    def renew(
        self, features: Float[Array, "m d"], label: Int[Array, " m"], domain: Int[Array, " m"],
        sizes: Sizes,
    ) -> Float[Array, "n k d"]:  # fmt: skip
        """The means of unit features, by domain and class."""
        shape = (sizes.num_domains, sizes.num_classes)
        place, places = domain * sizes.num_classes + label, math.prod(shape)
        total = jax.ops.segment_sum(unit(features), place, places)
        count = jax.ops.segment_sum(jnp.ones(len(label)), place, places)
        return (total / jnp.maximum(count, 1)[:, None]).reshape(*shape, -1)


@dataclasses.dataclass(frozen=True)
class Conformity(Term):
    r"""Cross-entropy of class posteriors in feature space against trusted guesses.

    .. math::
        \ell_a = w_a \big(CE(\mu_{d_a} z_a, \hat y_a) + CE(\mu_{d'_a} z_a, \hat y_a)\big)

    with the unit feature :math:`z_a` of the weak view, in a pass with gradient, the class means
    :math:`\mu_d` of its domain and :math:`\mu_{d'}` of another, drawn for each domain at each
    step, and :math:`w_a` the trust in the guess :math:`\hat y_a`. Cosines are the logits as they
    are: no temperature divides them.
    """

    weight: float = 0.1
    reads = ("pseudo", "learned")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats: the mean of each domain, summed over the domains."""
        pseudo, own, other = _compared(outputs)
        loss = cross_entropy(own, pseudo.label) + cross_entropy(other, pseudo.label)
        return over_domains(outputs, pseudo.weight * loss)


@dataclasses.dataclass(frozen=True)
class Alignment(Term):
    r"""Pulls trusted features to the nearest class mean, and away from the next nearest ones.

    .. math::
        \ell_a = w_a \Big(2 - s_{(1)} - s'_{(1)} + \frac{1}{n - 1} \sum_{r=2}^{n} s_{(r)}\Big)

    where :math:`s_{(r)}` is the r-th largest cosine of the feature with the class means of its
    own domain, and :math:`s'_{(1)}` its cosine with the *same* class's mean in the other domain
    of :class:`Conformity`. How many means repel is drawn for each domain at each step: ``n`` from
    ``2`` to ``ceil(k / 2) - 1``. With fewer than five classes there is no such number, and the
    authors' code stops; here ``n`` is 2: the second nearest alone repels. The guess decides only
    whether an image takes part: what pulls is the nearest mean, even if of another class.
    """

    weight: float = 0.5
    reads = ("pseudo", "learned")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value, of cosines: the mean of each domain, summed over the domains."""
        pseudo, own, other = _compared(outputs)
        k, n = own.shape[-1], outputs.num_domains
        end = max(math.ceil(k / 2), 3)
        cosine, label = jax.lax.top_k(own, min(k, end - 1))
        last = jax.random.randint(jax.random.fold_in(outputs.key, COUNT), (n,), 2, end)
        rank = jnp.arange(1, cosine.shape[-1] + 1)
        repels = (rank > 1) & (rank <= last[outputs.domain][:, None])
        there = jnp.take_along_axis(other, label[:, :1], -1)[:, 0]
        # Where there is one class, nothing is next.
        away = jnp.where(repels, cosine, 0).sum(-1) / jnp.maximum(repels.sum(-1), 1)
        loss = 2 - cosine[:, 0] - there + away
        return over_domains(outputs, pseudo.weight * loss)


def other_domains(num_domains: int, key: PRNGKeyArray) -> Int[Array, " n"]:
    """Draws, for every domain, one of the others; the only domain is its own other.

    Args:
        num_domains: ``n``, at least 1.
        key: For the draws.

    Returns:
        Of each domain, an index in ``[0, n)``; all others are equally likely.
    """
    ahead = jax.random.randint(key, (num_domains,), 0, max(num_domains - 1, 1))
    return (jnp.arange(num_domains) + 1 + ahead) % num_domains


def _compared(
    outputs: Outputs,
) -> tuple[PseudoLabels, Float[Array, "b k"], Float[Array, "b k"]]:
    """Guesses, and cosines with the class means of one's own domain and of another."""
    learned = needed(outputs.learned, "a pass over weak views with gradient")
    pseudo = needed(outputs.pseudo, "pseudo-labels")
    means = outputs.bank
    if not isinstance(means, jax.Array):
        raise InputError("A term compares with the means of DomainMeans(); give the method's bank.")
    z = unit(learned.features)
    cosine = jnp.einsum("bd,nkd->bnk", z, means, precision="highest")
    other = other_domains(outputs.num_domains, jax.random.fold_in(outputs.key, OTHER))
    own, there = (
        jnp.take_along_axis(cosine, domain[:, None, None], 1)[:, 0]
        for domain in (outputs.domain, other[outputs.domain])
    )
    return pseudo, own, there


def fbcsa(
    base: Method | None = None,
    *,
    conformity_weight: float = 0.1,
    alignment_weight: float = 0.5,
) -> Method:
    """Adds feature-based conformity and semantics alignment to ``base``, by default to FixMatch.

    The class means are of the bank :class:`DomainMeans`, renewed before every epoch. The features
    compared are of the weak views of labeled and unlabeled images, in one more pass with gradient
    after the strong views: the pass that guesses has none, so the terms would do nothing by it.
    This is the authors' code as we read it, in the passes of this library: our reconstruction.

    Args:
        base: Any method without a bank; its labeler says which guesses are trusted.
        conformity_weight: Factor of the cross-entropies with the guesses.
        alignment_weight: Factor of the pull to the nearest mean.

    References:
        Galappaththige, Baliah, Gunawardhana, Khan, `Towards Generalizing to Unseen Domains with
        Few Labels <https://arxiv.org/abs/2403.11674>`_, 2024, and its code.

    Raises:
        InputError: ``base`` keeps something of the labeled images already.
    """
    base = base or fixmatch()
    if base.bank.renews:
        raise InputError(
            f"FBC-SA keeps class means, and the method given keeps {base.bank} already; a method "
            "has one bank. Give a base without one."
        )
    terms = {
        "conformity": Conformity(conformity_weight),
        "alignment": Alignment(alignment_weight),
    }
    return dataclasses.replace(base.plus(**terms), bank=DomainMeans())
