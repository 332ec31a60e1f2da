"""V-REx: domains are to have equal risks, on top of any method."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import masked_mean, risk_extrapolation
from jaxclr.methods.domains import domain_of_labeled, stepped
from jaxclr.methods.erm import erm, labeled_losses
from jaxclr.methods.method import Method, Term
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class RiskVariance(Term):
    """Penalizes the variance, over the domains, of the cross-entropy on given labels.

    Times the number of domains, like the cross-entropy beside it.
    """

    weight: float = 10.0
    early: float = 0.1
    """Share of the weight that holds at first."""
    anneal: float = 0.1
    """Fraction of the run after which the whole weight holds."""

    reads = ("labeled",)
    mixed = True

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in squared nats; 0 where there is one domain alone."""
        deviation, exists = risk_extrapolation(
            labeled_losses(outputs), domain_of_labeled(outputs), num_domains=outputs.num_domains
        )
        factor = outputs.num_domains * stepped(outputs, self.early, self.anneal)
        return factor * masked_mean(deviation, exists)


def vrex(
    base: Method | None = None,
    *,
    weight: float = 10.0,
    early: float = 0.1,
    anneal: float = 0.1,
) -> Method:
    """Adds the variance of the domains' risks to ``base``, by default to ERM.

    Args:
        base: Any method.
        weight: Factor of the variance; DomainBed's default, which it draws from 0.1 to 100,000.
        early: Share of the weight that holds at first; DomainBed's factor is then 1.
        anneal: Fraction of the run after which the whole weight holds; DomainBed's 500 of 5,000
            steps. Its optimizer starts anew there, ours goes on.

    References:
        Krueger et al., `Out-of-Distribution Generalization via Risk Extrapolation
        <https://arxiv.org/abs/2003.00688>`_, 2021, V-REx; numbers by Gulrajani, Lopez-Paz,
        `DomainBed <https://arxiv.org/abs/2007.01434>`_, 2021.
    """
    return (base or erm()).plus(risk_variance=RiskVariance(weight, early, anneal))
