"""SSC: one contrastive loss for all images and trainable prototypes, instead of a classifier's."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from jaxclr.losses import masked_mean, semi_supervised_contrastive
from jaxclr.methods.fixmatch import FixedThreshold
from jaxclr.methods.method import Labeler, Method, Term, guessed, needed
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class UnifiedContrast(Term):
    """Finds one's own label among labeled images, strong views and prototypes.

    In the set are the labeled images' weak views with the label given, the unlabeled images' two
    strong views, and the prototypes; the labeled images' own strong views are not. A guess that
    is wholly trusted labels both strong views of its image. Of all others each has a label of its
    own that only its two views share: they are positives of each other, negatives of all else,
    and weigh less as anchors. An image that is in the batch twice is two images here.

    All domains are compared at once: the value is one mean over the set, as in the paper, and not
    a sum over domains.
    """

    temperature: float = 0.1
    """T > 0; small values attend to the nearest vectors only."""
    unconfident_weight: float = 0.2
    """Of an anchor whose guess is not trusted, where all others weigh 1."""

    reads = ("labeled", "pseudo", "strong", "second")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean in nats over the anchors that have a positive."""
        unlabeled = strong_views(outputs)
        confident = unlabeled.trust >= 1
        label = jnp.where(confident, unlabeled.guess, unlabeled.own)
        weight = jnp.where(confident, 1.0, self.unconfident_weight)
        return _contrast(outputs, unlabeled.embedding, label, weight, self.temperature)


@dataclasses.dataclass(frozen=True)
class SoftUnifiedContrast(Term):
    """The same where guesses are trusted by degrees: every strong view stands twice in the set.

    With the trust m of the guess in [0, 1], a view stands once with the guessed label, weighted m
    as an anchor, and once with the label of its own image, weighted (1 - m) times the weight of
    the unconfident. Weights are of anchors alone, as in the paper's public code: whatever they
    are, both copies attract those of their label, and each is a negative of the other. So this is
    not :class:`UnifiedContrast` even where every m is 0 or 1.
    """

    temperature: float = 0.1
    """T > 0; small values attend to the nearest vectors only."""
    unconfident_weight: float = 0.2
    """Of an anchor whose guess is not trusted at all, where a labeled one weighs 1."""

    reads = ("labeled", "pseudo", "strong", "second")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean in nats over the anchors that have a positive."""
        unlabeled = strong_views(outputs)
        embedding = jnp.concatenate([unlabeled.embedding, unlabeled.embedding])
        label = jnp.concatenate([unlabeled.guess, unlabeled.own])
        doubt = (1 - unlabeled.trust) * self.unconfident_weight
        weight = jnp.concatenate([unlabeled.trust, doubt])
        return _contrast(outputs, embedding, label, weight, self.temperature)


class StrongViews(NamedTuple):
    """Of the unlabeled images of a batch: all first strong views, then all second ones."""

    embedding: Num[Array, "v e"]
    guess: Int[Array, " v"]
    trust: Float[Array, " v"]
    own: Int[Array, " v"]
    """A label that the two views of an image share with nobody, from ``k`` on."""


def strong_views(outputs: Outputs) -> StrongViews:
    """The unlabeled images' strong views, with what is guessed of them."""
    strong, pseudo = guessed(outputs)
    second = needed(outputs.second, "a pass over second strong views")
    views = [outputs.only_unlabeled(seen.embedding) for seen in (strong, second)]
    own = strong.logits.shape[-1] + jnp.arange(len(views[0]))
    return StrongViews(
        jnp.concatenate(views),
        jnp.tile(outputs.only_unlabeled(pseudo.label), 2),
        jnp.tile(outputs.only_unlabeled(pseudo.weight), 2),
        jnp.tile(own, 2),
    )


def _contrast(
    outputs: Outputs,
    embedding: Num[Array, "v e"],
    label: Int[Array, " v"],
    weight: Float[Array, " v"],
    temperature: float,
) -> Float[Array, ""]:
    """The loss of a set of strong views, together with the labeled images and the prototypes."""
    labeled = needed(outputs.labeled, "a pass over labeled images")
    prototypes = needed(
        outputs.prototypes, "a model with classifier=Prototypes() and projector=Mlp()"
    )
    loss, counts = semi_supervised_contrastive(
        jnp.concatenate([labeled.embedding, embedding]),
        jnp.concatenate([outputs.label, label]),
        jnp.concatenate([jnp.ones(len(outputs.label)), weight]),
        prototypes,
        temperature=temperature,
    )
    return masked_mean(loss, counts)


def ssc(
    *,
    threshold: float = 0.95,
    temperature: float = 0.1,
    unconfident_weight: float = 0.2,
    labeler: Labeler | None = None,
    soft: bool = False,
) -> Method:
    """One contrastive loss on labeled images, strong views and prototypes; no cross-entropy.

    The model has ``classifier=Prototypes()``, which states probabilities by cosines over 0.08,
    and ``projector=Mlp()``. The paper tests weights averaged at a decay of 0.999.

    Args:
        threshold: Least confidence of a trusted guess, in [0, 1], where no labeler is given.
        temperature: T > 0 of the contrast.
        unconfident_weight: Of anchors whose guess is not trusted.
        labeler: Who says whom to trust, such as FlexMatch's; only what it weighs 1 is trusted.
        soft: Whether guesses are trusted by degrees; for a labeler that weighs them so, such as
            SoftMatch's.

    References:
        Gauffre, Horvat, Amini, `A Unified Contrastive Loss for Self-Training
        <https://arxiv.org/abs/2409.07292>`_, 2024.
    """
    contrast = SoftUnifiedContrast if soft else UnifiedContrast
    return Method(
        terms={
            "contrast": contrast(temperature=temperature, unconfident_weight=unconfident_weight)
        },
        labeler=labeler or FixedThreshold(threshold),
    )
