"""Mean Teacher: averaged weights say what strong views are to say, on top of any method."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.losses import probability_distance
from jaxclr.methods.erm import erm
from jaxclr.methods.method import Method, Term, needed, over_domains, probabilities_of
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class TeacherDistance(Term):
    """Squared difference of the class probabilities of strong views and of averaged weights.

    The averaged weights see the weak views, and get no gradient. The mean of each domain, summed
    over the domains.
    """

    weight: float = 50.0
    ramp: float = 0.4
    """Fraction of the run over which the term grows linearly to its weight; 0: none."""
    labeled: bool = True
    """Whether labeled images are among them."""

    reads = ("strong", "teacher")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value, in [0, 2 n / k] of n domains and k classes."""
        strong = needed(outputs.strong, "a pass over strong views")
        teacher = needed(outputs.teacher, "averaged weights: an experiment with ema_decay")
        target = jax.lax.stop_gradient(probabilities_of(teacher))
        distance = probability_distance(strong.logits, target)
        value = over_domains(outputs, distance, labeled=self.labeled)
        return value * jnp.minimum(outputs.progress / self.ramp, 1.0) if self.ramp else value


def mean_teacher(
    base: Method | None = None, *, weight: float = 50.0, ramp: float = 0.4, labeled: bool = True
) -> Method:
    """Adds agreement with averaged weights to ``base``, by default to ERM.

    The experiment has an ``ema_decay``, such as the paper's 0.999, and less in a short run.

    Args:
        base: Any method.
        weight: Factor of the squared difference, which is a mean over classes; USB's, the paper's
            is up to 100, by the share of labeled images.
        ramp: Fraction of the run over which the term grows linearly; as in USB, where the paper's
            grows like a sigmoid.
        labeled: Whether labeled images take part in it.

    References:
        Tarvainen, Valpola, `Mean teachers are better role models
        <https://arxiv.org/abs/1703.01780>`_, 2017; numbers, and the strong view of the one that
        learns, as in Wang et al., `USB <https://arxiv.org/abs/2208.07204>`_, 2022.
    """
    return (base or erm()).plus(teacher=TeacherDistance(weight, ramp, labeled))
