"""What FixCLR's paper compares its repulsion with: negative learning, and instance contrast."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import masked_mean, negative_learning, nt_xent
from jaxclr.methods.fixclr import trusted_labels
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Method, Term, guessed, needed
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class NegativeLearning(Term):
    """Denies every class but the given or trusted one on strong views, in place of repulsion."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean in nats over examples that are relied upon, each by its weight."""
        strong, pseudo = guessed(outputs)
        label, weight = trusted_labels(outputs, pseudo)
        return masked_mean(negative_learning(strong.logits, label), weight)


@dataclasses.dataclass(frozen=True)
class InstanceContrast(Term):
    """NT-Xent between each image's weak and strong view, over all domains and blind to classes.

    The control of FixCLR's paper, which finds that it clusters by domain. Weak views are without
    gradient here, since the step makes them so.
    """

    temperature: float = 0.5
    """T > 0."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean in nats over all images."""
        strong, _ = guessed(outputs)
        weak = needed(outputs.weak, "a pass over weak views")
        return nt_xent(weak.features, strong.features, temperature=self.temperature).mean()


def with_negative_learning(base: Method | None = None, *, weight: float = 1.0) -> Method:
    """Adds negative learning to ``base``, by default to FixMatch.

    Args:
        base: Any method.
        weight: Factor of the term; ours.

    References:
        Son, Rezaei, Liu, `FixCLR <https://arxiv.org/abs/2506.20841>`_, 2025, which names it as an
        open question; the form is :func:`jaxclr.losses.negative_learning`'s.
    """
    return (base or fixmatch()).plus(negative_learning=NegativeLearning(weight))


def with_instance_contrast(
    base: Method | None = None, *, weight: float = 1.0, temperature: float = 0.5
) -> Method:
    """Adds SimCLR's instance contrast to ``base``, by default to FixMatch.

    Args:
        base: Any method that guesses.
        weight: Factor of the term; ours.
        temperature: T > 0.

    References:
        Son, Rezaei, Liu, `FixCLR <https://arxiv.org/abs/2506.20841>`_, 2025; Chen et al., `SimCLR
        <https://arxiv.org/abs/2002.05709>`_, 2020.
    """
    return (base or fixmatch()).plus(instance_contrast=InstanceContrast(weight, temperature))
