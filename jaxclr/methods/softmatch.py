"""SoftMatch: guesses count by how confident they are among all guesses of late."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.memory import followed, mean_of_unlabeled
from jaxclr.methods.method import Labeler, Method, likeliest, probabilities_of
from jaxclr.types import Evidence, PseudoLabels, Sizes


class ConfidenceStatus(NamedTuple):
    """Moving averages over the unlabeled images, of aligned confidence and of classes."""

    mean: Float[Array, ""]
    variance: Float[Array, ""]
    share: Float[Array, " k"]
    """Mean probability of each class, before alignment; zeros before the first step."""


@dataclasses.dataclass(frozen=True)
class TruncatedGaussian(Labeler):
    r"""Trusts a guess wholly from the mean confidence on, and by a Gaussian below.

    .. math:: w = \exp\Big(-\frac{\min(q - \mu_t, 0)^2}{2 \sigma_t^2 / s^2}\Big), \qquad
        q = \max_c \mathrm{norm}(p / \mathbb{E}[p])_c

    with s = ``num_sigma``; mean and variance of q, and E[p], the mean probability of each class,
    are moving averages over the unlabeled images, this step's too. The mean starts at one over the
    number of classes, the variance at 1, E[p] at that of the first batch (as in the authors'
    code; the paper is silent). norm divides by the sum. Dividing by E[p] aligns the guesses with a
    uniform use of the classes, for the weight alone: the label is the likeliest class as it is.
    """

    decay: float = 0.999
    """Of the moving averages, in [0, 1]."""
    num_sigma: float = 2.0
    """Into how many parts the deviation is divided; large values trust less below the mean."""
    aligns: bool = True
    """Whether confidence is judged after alignment with a uniform use of the classes."""

    def init(self, sizes: Sizes) -> ConfidenceStatus:
        """Nothing is known of the classes, and confidence may be anything."""
        k = sizes.num_classes
        return ConfidenceStatus(jnp.asarray(1 / k, jnp.float32), jnp.ones(()), jnp.zeros(k))

    def label(
        self, memory: ConfidenceStatus, evidence: Evidence
    ) -> tuple[ConfidenceStatus, PseudoLabels]:
        """The likeliest class, weighted in (0, 1]."""
        probabilities = probabilities_of(evidence.prediction)
        share = jnp.where(
            memory.share.any(),
            followed(memory.share, probabilities, evidence, self.decay),
            mean_of_unlabeled(evidence, probabilities),
        )
        confidence = self._confidence(probabilities, share)
        b = (evidence.given < 0).sum()
        deviation = confidence - mean_of_unlabeled(evidence, confidence)
        # As an estimate of the variance of all images, not of the batch alone.
        squares = deviation**2 * b / jnp.maximum(b - 1, 1)
        memory = ConfidenceStatus(
            followed(memory.mean, confidence, evidence, self.decay),
            followed(memory.variance, squares, evidence, self.decay),
            share,
        )
        below = jnp.minimum(confidence - memory.mean, 0.0)
        width = 2 * jnp.maximum(memory.variance, 1e-12) / self.num_sigma**2
        return memory, likeliest(probabilities, jnp.exp(-(below**2) / width))

    def _confidence(
        self, probabilities: Float[Array, "b k"], share: Float[Array, " k"]
    ) -> Float[Array, " b"]:
        if not self.aligns:
            return probabilities.max(-1)
        aligned = probabilities / (share + 1e-6)
        return aligned.max(-1) / aligned.sum(-1)


def softmatch(
    *,
    decay: float = 0.999,
    num_sigma: float = 2.0,
    aligns: bool = True,
    unlabeled_weight: float = 1.0,
    labeled: bool = True,
) -> Method:
    """FixMatch with all guesses, each weighted by its confidence, instead of a threshold.

    Args:
        decay: Of the moving averages, in [0, 1].
        num_sigma: Into how many parts the deviation of confidence is divided.
        aligns: Whether confidence is judged after alignment with a uniform use of the classes.
        unlabeled_weight: Factor of the consistency term.
        labeled: Whether labeled images take part in the consistency, with guessed labels.

    References:
        Chen et al., `SoftMatch <https://arxiv.org/abs/2301.10921>`_, 2023: its Gaussian
        weighting and its uniform alignment; over domains as in FixMatch here.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": Consistency(unlabeled_weight, labeled),
        },
        labeler=TruncatedGaussian(decay, num_sigma, aligns),
    )
