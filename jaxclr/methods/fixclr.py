"""FixCLR: classes push each other apart over all domains, on top of any method."""

import dataclasses
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from jaxclr.losses import masked_mean, negative_class_contrastive
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Method, Term, guessed
from jaxclr.types import Outputs, Prediction, PseudoLabels

Reduction = Literal["mean", "sum"]
Reading = Literal["pairs", "group_means", "anchors"]
Curriculum = Literal["none", "training", "confidence"]


@dataclasses.dataclass(frozen=True)
class Repulsion(Term):
    """Repels the classes of the strong views, labeled by what is given or trusted."""

    weight: float = 0.3
    """Factor of this term in the sum; ours, chosen by accuracy on images held back from training
    (docs/fixclr-study.md). From 3 on, short runs from scratch fail."""
    temperature: float = 0.2
    """T > 0; small values attend to the nearest intruders only."""
    reduction: Reduction = "mean"
    """Over the (class, domain) pairs that exist: their mean, or the paper's literal sum."""
    attraction: float = 0.0
    """In [0, 1]: how far the fixed positive gives way to the real one (the paper's ablation)."""
    views: Literal["strong", "both"] = "strong"
    """Strong views alone, or weak ones too, which repel but, without gradient, are not moved."""
    reading: Reading = "pairs"
    """Where the sums of the paper's equation stand: over all pairs, as means of whole groups, or
    over each anchor's own pairs."""
    frozen_numerator: bool = True
    """Whether the fixed positive stays in the numerator; if not, log-sum-exp alone."""
    curriculum: Curriculum = "none"
    """How attraction comes in: at once, in proportion to the training done, or to the share of
    guesses that are trusted (the paper's open question)."""
    vectors: Literal["features", "embedding"] = "features"
    """What is repelled: the backbone's features, or what the projector makes of them."""
    centred: bool = False
    """Whether each domain's mean over the batch is taken off its vectors first: what follows a ReLU
    lies in one corner of the space, where no two examples are far apart."""
    trust: Literal["trusted", "all"] = "trusted"
    """Whether guesses count by the labeler's trust, or all of them fully."""
    ramp: float = 0.0
    """Fraction of the run over which the term grows linearly to its weight."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; 0 where no two classes are trusted."""
        strong, pseudo = guessed(outputs)
        label, weight = trusted_labels(outputs, pseudo)
        if self.trust == "all":
            weight = jnp.ones_like(weight)
        vectors, domain = self._vectors(strong, outputs.num_domains), outputs.domain
        if self.views == "both" and outputs.weak is not None:
            weak = self._vectors(outputs.weak, outputs.num_domains)
            vectors = jnp.concatenate([vectors, weak])
            label, domain, weight = (jnp.tile(x, 2) for x in (label, domain, weight))
        loss, exists = negative_class_contrastive(
            vectors,
            label,
            domain,
            weight,
            num_classes=strong.logits.shape[-1],
            num_domains=outputs.num_domains,
            temperature=self.temperature,
            attraction=self._attraction(outputs, pseudo),
            reading=self.reading,
            frozen_numerator=self.frozen_numerator,
        )
        value = masked_mean(loss, exists) if self.reduction == "mean" else loss.sum()
        return value * jnp.minimum(outputs.progress / self.ramp, 1.0) if self.ramp else value

    def _vectors(self, prediction: Prediction, num_domains: int) -> Num[Array, "b d"]:
        found = getattr(prediction, self.vectors)
        if not self.centred:
            return found
        by_row = found.astype(jnp.float32).reshape(-1, num_domains, found.shape[-1])
        return (by_row - by_row.mean(0)).reshape(found.shape)

    def _attraction(self, outputs: Outputs, pseudo: PseudoLabels) -> Float[Array, ""] | float:
        if self.curriculum == "training":
            return self.attraction * outputs.progress
        if self.curriculum == "confidence":
            return self.attraction * masked_mean(pseudo.weight, outputs.given < 0)
        return self.attraction


def trusted_labels(
    outputs: Outputs, pseudo: PseudoLabels
) -> tuple[Int[Array, " b"], Float[Array, " b"]]:
    """Labels given or guessed, and how far they are relied upon: given ones fully.

    Args:
        outputs: Says which labels are given.
        pseudo: The labeler's guesses of all images, labeled ones too.

    Returns:
        The class of each image, and its weight: 1 where the label is given, else the labeler's.
    """
    is_given = outputs.given >= 0
    return (
        jnp.where(is_given, outputs.given, pseudo.label),
        jnp.where(is_given, 1.0, pseudo.weight),
    )


def fixclr(
    base: Method | None = None,
    *,
    weight: float = 0.3,
    temperature: float = 0.2,
    reduction: Reduction = "mean",
    attraction: float = 0.0,
    curriculum: Curriculum = "none",
    reading: Reading = "pairs",
) -> Method:
    """Adds repulsion to ``base``, by default to FixMatch.

    Args:
        base: Any method; its labeler says which guesses are trusted.
        weight: Factor of the repulsion. The paper's is not known to us; ours was chosen by the
            accuracy on images held back from training (docs/fixclr-study.md).
        temperature: T > 0; likewise.
        reduction: Over (class, domain) pairs.
        attraction: 0 for repulsion alone, 1 for the ablation with real positives.
        curriculum: How attraction comes in.
        reading: Where the sums of the equation stand.

    References:
        Son, Rezaei, Liu, `FixCLR <https://arxiv.org/abs/2506.20841>`_, 2025; see
        :func:`jaxclr.losses.negative_class_contrastive` for what is our reconstruction.
    """
    repulsion = Repulsion(
        weight, temperature, reduction, attraction, curriculum=curriculum, reading=reading
    )
    return (base or fixmatch()).plus(repulsion=repulsion)
