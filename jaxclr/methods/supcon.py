"""SupCon: images of one label attract each other across views and domains."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.losses import masked_mean, supervised_contrastive
from jaxclr.methods.fixclr import trusted_labels
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Method, Term, guessed, needed
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class LabelContrast(Term):
    """Supervised contrast over both strong views, labeled by what is given or trusted.

    Images of all domains are compared at once: the value is one mean over the batch, as in the
    paper, and not a sum over domains.
    """

    temperature: float = 0.1
    """T > 0; small values attend to the nearest examples only."""

    reads = ("pseudo", "strong", "second")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean in nats over the views that are relied upon, each by its weight."""
        strong, pseudo = guessed(outputs)
        second = needed(outputs.second, "a pass over second strong views")
        label, weight = (jnp.tile(x, 2) for x in trusted_labels(outputs, pseudo))
        loss, counts = supervised_contrastive(
            jnp.concatenate([strong.embedding, second.embedding]),
            label,
            weight,
            temperature=self.temperature,
        )
        return masked_mean(loss, weight * counts)


def supcon(base: Method | None = None, *, weight: float = 1.0, temperature: float = 0.1) -> Method:
    """Adds supervised contrast to ``base``, by default to FixMatch.

    Args:
        base: Any method; its labeler says which guesses are trusted. ``Method({}, Nobody())``
            makes it the paper's own: given labels alone, and nothing that trains the classifier.
        weight: Factor of the contrast; ours.
        temperature: T > 0.

    References:
        Khosla et al., `Supervised Contrastive Learning <https://arxiv.org/abs/2004.11362>`_,
        2020, eq. 2; with guessed labels it is ours.
    """
    return (base or fixmatch()).plus(label_contrast=LabelContrast(weight, temperature))
