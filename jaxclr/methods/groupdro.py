"""Group DRO: domains that are served worst count most, on top of any method."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.errors import InputError
from jaxclr.losses import domain_means, tilted_shares
from jaxclr.methods.domains import domain_of_labeled
from jaxclr.methods.erm import Supervised, erm, labeled_losses
from jaxclr.methods.memory import Around, recalled
from jaxclr.methods.method import Labeler, Method, Term, needed
from jaxclr.types import Evidence, Outputs, PseudoLabels, Sizes


class DomainShares(NamedTuple):
    """How much each domain counts."""

    share: Float[Array, " n"]
    """Of sum one."""


@dataclasses.dataclass(frozen=True)
class WorstDomains(Term):
    r"""Cross-entropy on given labels, each domain by its share, times the number of domains.

    .. math:: n \sum_i q_i R_i

    With equal shares it is the sum over the domains that :class:`Supervised` is. The shares are the
    memory of :class:`Tilted`, this step's risks included, and get no gradient.
    """

    reads = ("labeled",)
    mixed = True

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats."""
        shares = needed(recalled(outputs.memory, DomainShares), "the memory of group DRO's labeler")
        return outputs.num_domains * (shares.share * _risks(outputs)).sum()


@dataclasses.dataclass(frozen=True)
class Tilted(Labeler):
    """Guesses as another labeler does, and keeps how much each domain counts."""

    labeler: Labeler
    """Whom to trust."""
    step_size: float = 0.01
    """At least 0: how fast shares move to the domains that are served worst."""

    def init(self, sizes: Sizes) -> Around:
        """All domains count alike."""
        n = sizes.num_domains
        return Around(DomainShares(jnp.full(n, 1 / n, jnp.float32)), self.labeler.init(sizes))

    def label(self, memory: Around, evidence: Evidence) -> tuple[Around, PseudoLabels]:
        """What the other labeler guesses."""
        within, pseudo = self.labeler.label(memory.within, evidence)
        return memory._replace(within=within), pseudo

    def remember(self, memory: Around, outputs: Outputs) -> Around:
        """The shares after the risks of this step's labeled images."""
        within = self.labeler.remember(memory.within, outputs._replace(memory=memory.within))
        share = tilted_shares(memory.own.share, _risks(outputs), step_size=self.step_size)
        return Around(DomainShares(share), within)


def _risks(outputs: Outputs) -> Float[Array, " n"]:
    losses, domain = labeled_losses(outputs), domain_of_labeled(outputs)
    return domain_means(losses, domain, num_domains=outputs.num_domains)[0]


def groupdro(base: Method | None = None, *, step_size: float = 0.01) -> Method:
    """Lets domains that are served worst count most in the cross-entropy of ``base``.

    Args:
        base: Any method with :class:`Supervised` among its terms, which gives way to
            :class:`WorstDomains` of its weight; by default ERM. All else stays as it is.
        step_size: How fast shares move; DomainBed's default, which it draws from 0.001 to 0.1.

    Raises:
        InputError: The base has no such term.

    References:
        Sagawa, Koh, Hashimoto, Liang, `Distributionally Robust Neural Networks for Group Shifts
        <https://arxiv.org/abs/1911.08731>`_, 2020, algorithm 1; the risks of all domains at every
        step, as in Gulrajani, Lopez-Paz, `DomainBed <https://arxiv.org/abs/2007.01434>`_, 2021.
    """
    base = base or erm()
    if not any(type(term) is Supervised for term in base.terms.values()):
        raise InputError(
            "Group DRO weighs the domains of the cross-entropy on given labels, and the base has "
            "none. Give a base with Supervised() among its terms, such as erm() or fixmatch()."
        )
    terms = {
        name: WorstDomains(term.weight) if type(term) is Supervised else term
        for name, term in base.terms.items()
    }
    return dataclasses.replace(base, terms=terms, labeler=Tilted(base.labeler, step_size))
