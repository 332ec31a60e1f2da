"""UDA: confident guesses on weak views, sharpened, are the soft labels of strong ones."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxclr.methods.erm import Supervised
from jaxclr.methods.method import Labeler, Method, likeliest, probabilities_of
from jaxclr.methods.soft import SoftConsistency
from jaxclr.types import Evidence, PseudoLabels, Sizes


@dataclasses.dataclass(frozen=True)
class Sharpened(Labeler):
    r"""Trusts a guess wholly from a confidence on, and sharpens what it says of all classes.

    .. math:: t = \mathrm{softmax}(f / T), \qquad m = [\max_c \mathrm{softmax}(f)_c \ge \tau]
    """

    threshold: float = 0.8
    """Least confidence to be trusted, in [0, 1], before sharpening."""
    temperature: float = 0.4
    """T > 0; below 1 it sharpens, at 1 probabilities are as stated."""

    def init(self, sizes: Sizes) -> tuple[()]:
        """Nothing is remembered."""
        return ()

    def label(self, memory: tuple[()], evidence: Evidence) -> tuple[tuple[()], PseudoLabels]:
        """The likeliest class, weighted 1 or 0, with sharpened probabilities."""
        stated = likeliest(probabilities_of(evidence.prediction), 0.0)
        logits = evidence.prediction.logits.astype(jnp.float32)
        return (), stated._replace(
            weight=(stated.confidence >= self.threshold).astype(jnp.float32),
            probabilities=jax.nn.softmax(logits / self.temperature),
        )


def uda(
    *,
    threshold: float = 0.8,
    temperature: float = 0.4,
    unlabeled_weight: float = 1.0,
    labeled: bool = True,
) -> Method:
    """Cross-entropy on given labels, and of strong views to sharpened confident guesses.

    Args:
        threshold: Least confidence of a trusted guess, in [0, 1].
        temperature: T > 0, of the sharpening.
        unlabeled_weight: Factor of the consistency term.
        labeled: Whether labeled images take part in the consistency, with guessed labels.

    References:
        Xie et al., `Unsupervised Data Augmentation for Consistency Training
        <https://arxiv.org/abs/1904.12848>`_, 2020: its confidence masking and its sharpening,
        without training signal annealing, and with the cross-entropy, whose gradient is that of
        the paper's divergence; over domains as in FixMatch here.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": SoftConsistency(unlabeled_weight, labeled),
        },
        labeler=Sharpened(threshold, temperature),
    )
