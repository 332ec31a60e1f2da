"""IRM: one classifier is to be the best for every domain by itself, on top of any method."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import invariance_penalty, masked_mean
from jaxclr.methods.domains import domain_of_labeled, half_of_labeled, stepped
from jaxclr.methods.erm import erm
from jaxclr.methods.method import Method, Term, needed
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class Invariance(Term):
    """Penalizes the slope of each domain's risk in a factor of the logits, on labeled images.

    The mean over the domains, times their number, like the cross-entropy beside it. The images of
    a domain take turns between the halves whose slopes are multiplied.
    """

    weight: float = 100.0
    early: float = 0.01
    """Share of the weight that holds at first, so that there is something to be invariant."""
    anneal: float = 0.1
    """Fraction of the run after which the whole weight holds."""

    reads = ("labeled",)

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in squared nats, of either sign: the estimate is unbiased."""
        labeled = needed(outputs.labeled, "a pass over labeled images")
        penalty, exists = invariance_penalty(
            labeled.logits,
            outputs.label,
            domain_of_labeled(outputs),
            half_of_labeled(outputs),
            num_domains=outputs.num_domains,
        )
        factor = outputs.num_domains * stepped(outputs, self.early, self.anneal)
        return factor * masked_mean(penalty, exists)


def irm(
    base: Method | None = None,
    *,
    weight: float = 100.0,
    early: float = 0.01,
    anneal: float = 0.1,
) -> Method:
    """Adds the invariance penalty (IRMv1) to ``base``, by default to ERM.

    Args:
        base: Any method; labeled images are not to be mixed.
        weight: Factor of the penalty; DomainBed's default, which it draws from 0.1 to 100,000.
        early: Share of the weight that holds at first; DomainBed's factor is then 1.
        anneal: Fraction of the run after which the whole weight holds; DomainBed's 500 of 5,000
            steps. Its optimizer starts anew there, ours goes on.

    References:
        Arjovsky, Bottou, Gulrajani, Lopez-Paz, `Invariant Risk Minimization
        <https://arxiv.org/abs/1907.02893>`_, 2019, IRMv1; numbers by Gulrajani, Lopez-Paz,
        `DomainBed <https://arxiv.org/abs/2007.01434>`_, 2021.
    """
    return (base or erm()).plus(invariance=Invariance(weight, early, anneal))
