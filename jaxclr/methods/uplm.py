"""UPLM: guesses are trusted that are confident, and stay put when features are dropped."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from jaxclr.errors import InputError
from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.method import Labeler, Method, likeliest, probabilities_of
from jaxclr.types import Evidence, PseudoLabels, Sizes


def certainty(samples: Num[Array, "s b k"], label: Int[Array, " b"]) -> Float[Array, " b"]:
    r"""How little the logit of the guessed class varies from draw to draw.

    .. math:: g_a = 1 - \tanh\big(\operatorname{Var}_s \, l_{s a \hat y_a}\big)

    Args:
        samples: Logits drawn by dropout, of any float type; computed in float32.
        label: The guess, in ``[0, k)``.

    Returns:
        In (0, 1]; 1 where all draws agree, as a single one does. The variance is the population's.

    References:
        Khan, Shaaban, Khan, `Improving Pseudo-labelling and Enhancing Robustness for
        Semi-Supervised Domain Generalization <https://arxiv.org/abs/2401.13965>`_, 2024. The
        variance is of logits, as in its code: that of probabilities is at most 1/4, hence their
        certainty at least 0.755, above every threshold of the paper.
    """
    variance = samples.astype(jnp.float32).var(0)
    return 1 - jnp.tanh(jnp.take_along_axis(variance, label[:, None], -1)[:, 0])


@dataclasses.dataclass(frozen=True)
class Certain(Labeler):
    """Trusts a guess wholly that is confident and certain, and not at all otherwise."""

    threshold: float = 0.95
    """Least confidence to be trusted, in [0, 1]."""
    least_certainty: float = 0.2
    """Least certainty to be trusted, in [0, 1]; see :func:`certainty`."""

    def init(self, sizes: Sizes) -> tuple[()]:
        """Nothing is remembered."""
        return ()

    def label(self, memory: tuple[()], evidence: Evidence) -> tuple[tuple[()], PseudoLabels]:
        """The likeliest class without dropout, weighted 1 or 0.

        Raises:
            InputError: The classifier drops nothing.
        """
        samples = evidence.prediction.samples
        if samples is None:
            raise InputError(
                "UPLM asks how a guess varies when features are dropped, and the model's "
                "classifier drops none. Give the model one that does, such as "
                "classifier=Linear(dropout=0.2, samples=10)."
            )
        pseudo = likeliest(probabilities_of(evidence.prediction), 0.0)
        trusted = (pseudo.confidence >= self.threshold) & (
            certainty(samples, pseudo.label) >= self.least_certainty
        )
        return (), pseudo._replace(weight=trusted.astype(jnp.float32))


def uplm(
    *,
    threshold: float = 0.95,
    least_certainty: float = 0.2,
    unlabeled_weight: float = 1.0,
    labeled: bool = True,
) -> Method:
    """FixMatch on guesses that are certain, too, by the variance of draws with dropout.

    What belongs to other settings of the experiment:

    - The model's ``classifier=Linear(dropout=0.2, samples=10, learns_whole=True)``: ten draws with
      a fifth of the features dropped, from which learning is spared, as in the authors' code. There
      draws are made by the running statistics of batch norm; here by those of the batch, as the
      guess is.
    - Model averaging: the paper tests the mean of three sets of weights: the last, their moving
      average, and the best on images held out of the sources. ``ema_decay=0.999`` and
      ``tested="both"`` are the mean of the first two; the third is left out, since the protocol
      selects nothing.
    - The paper's own protocol is a ResNet-50, 24 labeled and 120 unlabeled images of all domains
      pooled, and Nesterov's momentum; its numbers compare with no others.

    Args:
        threshold: Least confidence of a trusted guess, in [0, 1].
        least_certainty: Least certainty of a trusted guess, in [0, 1]: 0.2 for PACS, 0.5 for
            TerraIncognita and Office-Home, 0.7 for VLCS.
        unlabeled_weight: Factor of the consistency term.
        labeled: Whether labeled images take part in the consistency, with guessed labels; not so
            in the paper.

    References:
        Khan, Shaaban, Khan, `Improving Pseudo-labelling and Enhancing Robustness for
        Semi-Supervised Domain Generalization <https://arxiv.org/abs/2401.13965>`_, 2024, and its
        code.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": Consistency(unlabeled_weight, labeled),
        },
        labeler=Certain(threshold, least_certainty),
    )
