"""DeFixMatch: the bias that FixMatch's guesses bring in is taken out on the labeled images."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.losses import cross_entropy, masked_mean
from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency, FixedThreshold
from jaxclr.methods.method import Method, Term, guessed, needed
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class Debias(Term):
    """Minus the consistency of the labeled images, by their guesses, summed over the domains.

    With :class:`jaxclr.methods.fixmatch.Consistency` of the unlabeled images, at the same weight,
    it is zero on average where both are drawn alike, whatever is guessed. Never positive; on its
    own it has no least value, which is why :class:`SupervisedStrong` goes with it.
    """

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; domains have equally many labeled images in a batch."""
        strong, pseudo = guessed(outputs)
        losses = pseudo.weight * cross_entropy(strong.logits, pseudo.label)
        return -outputs.num_domains * masked_mean(losses, outputs.given >= 0)


@dataclasses.dataclass(frozen=True)
class SupervisedStrong(Term):
    """Cross-entropy of strong views on given labels, the mean of each domain, summed over them."""

    reads = ("strong",)

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; domains have equally many labeled images in a batch."""
        strong = needed(outputs.strong, "a pass over strong views")
        is_given = outputs.given >= 0
        losses = cross_entropy(strong.logits, jnp.where(is_given, outputs.given, 0))
        return outputs.num_domains * masked_mean(losses, is_given)


def defixmatch(*, threshold: float = 0.95, unlabeled_weight: float = 0.5) -> Method:
    """FixMatch minus the same consistency on the labeled images: an unbiased estimate of the risk.

    The supervised loss is half of weak and half of strong views, as in the paper: what is taken
    away of a labeled image's strong view is thus at most what is asked of it, where the guess is
    right and ``unlabeled_weight`` at most a half.

    Args:
        threshold: Least confidence of a trusted guess, in [0, 1].
        unlabeled_weight: Factor of the consistency term, and of what is taken away.

    References:
        Schmutz, Humbert, Mattei, `Don't Fear the Unlabelled
        <https://arxiv.org/abs/2203.07512>`_, 2023, which debiases FixMatch so; over domains as in
        FixMatch here.
    """
    return Method(
        terms={
            "supervised": Supervised(0.5),
            "supervised_strong": SupervisedStrong(0.5),
            "consistency": Consistency(unlabeled_weight, labeled=False),
            "debias": Debias(unlabeled_weight),
        },
        labeler=FixedThreshold(threshold),
    )
