"""FixCLR: classes push each other apart over all domains, on top of any method."""

import dataclasses
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.losses import masked_mean, negative_class_contrastive
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Method, Term, guessed
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class Repulsion(Term):
    """Repels the classes of the strong views, labeled by what is given or trusted."""

    temperature: float = 0.1
    """T > 0; small values attend to the nearest intruders only."""
    reduction: Literal["mean", "sum"] = "mean"
    """Over the (class, domain) pairs that exist: their mean, or the paper's literal sum."""
    attraction: float = 0.0
    """In [0, 1]: how far the fixed positive gives way to the real one (the paper's ablation)."""
    views: Literal["strong", "both"] = "strong"
    """Strong views alone, or weak ones too, which repel but, without gradient, are not moved."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; 0 where no two classes are trusted."""
        strong, pseudo = guessed(outputs)
        is_given = outputs.given >= 0
        features = strong.features
        label = jnp.where(is_given, outputs.given, pseudo.label)
        domain = outputs.domain
        weight = jnp.where(is_given, 1.0, pseudo.weight)
        if self.views == "both" and outputs.weak is not None:
            features = jnp.concatenate([features, outputs.weak.features])
            label, domain, weight = (jnp.tile(x, 2) for x in (label, domain, weight))
        loss, exists = negative_class_contrastive(
            features,
            label,
            domain,
            weight,
            num_classes=strong.logits.shape[-1],
            num_domains=outputs.num_domains,
            temperature=self.temperature,
            attraction=self.attraction,
        )
        return masked_mean(loss, exists) if self.reduction == "mean" else loss.sum()


def fixclr(
    base: Method | None = None,
    *,
    weight: float = 1.0,
    temperature: float = 0.1,
    reduction: Literal["mean", "sum"] = "mean",
    attraction: float = 0.0,
) -> Method:
    """Adds repulsion to ``base``, by default to FixMatch.

    Args:
        base: Any method; its labeler says which guesses are trusted.
        weight: Factor of the repulsion. The paper's is not known to us; ours is a starting value.
        temperature: T > 0. The paper's is not known to us; ours is a starting value.
        reduction: Over (class, domain) pairs.
        attraction: 0 for repulsion alone, 1 for the ablation with real positives.

    References:
        Son, Rezaei, Liu, `FixCLR <https://arxiv.org/abs/2506.20841>`_, 2025; see
        :func:`jaxclr.losses.negative_class_contrastive` for what is our reconstruction.
    """
    repulsion = Repulsion(weight, temperature, reduction, attraction)
    return (base or fixmatch()).plus(repulsion=repulsion)
