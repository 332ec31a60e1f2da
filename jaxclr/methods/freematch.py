"""FreeMatch: thresholds follow the network's own confidence, and classes stay in balance."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Num

from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.memory import followed, recalled
from jaxclr.methods.method import (
    Labeler,
    Method,
    Term,
    guessed,
    likeliest,
    needed,
    probabilities_of,
)
from jaxclr.types import Evidence, Outputs, PseudoLabels, Sizes


class LearningStatus(NamedTuple):
    """Moving averages over the unlabeled images, which tell how far learning has come."""

    confidence: Float[Array, ""]
    """Of guesses: the threshold of all classes together."""
    share: Float[Array, " k"]
    """Mean probability of each class."""
    histogram: Float[Array, " k"]
    """How often each class is the likeliest."""


@dataclasses.dataclass(frozen=True)
class SelfAdaptive(Labeler):
    r"""Trusts a guess wholly from a threshold on that is learned, and not at all below.

    The threshold of class c is the mean confidence, times the class's share of all probability
    against the largest one, each a moving average over the unlabeled images, this step's too:

    .. math:: T_c = \tau_t \, \tilde p_t(c) / \max_j \tilde p_t(j).

    All start at one over the number of classes. A guess of exactly the threshold is trusted.
    """

    decay: float = 0.999
    """Of the moving averages, in [0, 1]."""

    def init(self, sizes: Sizes) -> LearningStatus:
        """A network that has learned nothing: no class is likelier than another."""
        alike = jnp.full(sizes.num_classes, 1 / sizes.num_classes, jnp.float32)
        return LearningStatus(alike[0], alike, alike)

    def label(
        self, memory: LearningStatus, evidence: Evidence
    ) -> tuple[LearningStatus, PseudoLabels]:
        """The likeliest class, weighted 1 or 0."""
        probabilities = probabilities_of(evidence.prediction)
        guess = likeliest(probabilities, 0.0)
        is_guess = jax.nn.one_hot(guess.label, probabilities.shape[1])
        seen = LearningStatus(guess.confidence, probabilities, is_guess)
        memory = LearningStatus(
            *(followed(*pair, evidence, self.decay) for pair in zip(memory, seen, strict=True))
        )
        least = memory.confidence * memory.share / memory.share.max()
        trusted = guess.confidence >= least[guess.label]
        return memory, guess._replace(weight=trusted.astype(jnp.float32))


@dataclasses.dataclass(frozen=True)
class Fairness(Term):
    r"""Holds strong views to as even a use of the classes as weak ones have had so far.

    .. math:: L_f = \sum_c a_c \log b_c, \qquad
        a = \mathrm{norm}(\tilde p_t / \tilde h_t), \quad b = \mathrm{norm}(\bar p / \bar h)

    with the moving averages of the mean probability and of the histogram of guesses over weak
    views (a, constant), and the same two of this batch's trusted unlabeled strong views (b; its
    histogram constant); norm divides by the sum. It is never positive: a cross-entropy with the
    paper's minus sign, which minimizing makes large. A class that no strong view is guessed to be
    has no b and is left out of the sum; the authors' code counts it by a constant, with the same
    gradient. The value is multiplied by the number of domains, so that it keeps its proportion to
    the other terms, which are summed over them.
    """

    weight: float = 0.01

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats; 0 where no guess is trusted."""
        strong, pseudo = guessed(outputs)
        status = needed(
            recalled(outputs.memory, LearningStatus), "the memory of FreeMatch's labeler"
        )
        # The quotient of two vanishing numbers is taken as a difference of logarithms.
        past = jnp.log(status.share) - jnp.log(status.histogram)
        past = jax.nn.softmax(jnp.where(status.histogram > 0, past, -jnp.inf))
        trusted = (outputs.given < 0) & (pseudo.weight > 0)
        log_now, present = _evenness(strong.logits, trusted)
        return outputs.num_domains * jnp.where(present, past * log_now, 0.0).sum()


def _evenness(
    logits: Num[Array, "b k"], trusted: Bool[Array, " b"]
) -> tuple[Float[Array, " k"], Bool[Array, " k"]]:
    """The logarithm of b, and which classes have one."""
    probabilities = jax.nn.softmax(logits.astype(jnp.float32)) * trusted[:, None]
    histogram = (jax.nn.one_hot(logits.argmax(-1), logits.shape[1]) * trusted[:, None]).sum(0)
    present = histogram > 0
    # Sums and counts in place of means and shares: norm takes the number of images out.
    even = jnp.where(present, probabilities.sum(0) / jnp.maximum(histogram, 1), 1.0)
    total = jnp.where(present, even, 0.0).sum()
    return jnp.log(even) - jnp.log(jnp.where(present.any(), total, 1.0)), present


def freematch(
    *,
    decay: float = 0.999,
    fairness: float = 0.01,
    unlabeled_weight: float = 1.0,
    labeled: bool = True,
) -> Method:
    """FixMatch with thresholds that the network's own confidence sets, and fairness to classes.

    Args:
        decay: Of the moving averages, in [0, 1].
        fairness: Factor of the fairness term; the paper's is 0.01 where labels are scarcest.
        unlabeled_weight: Factor of the consistency term.
        labeled: Whether labeled images take part in the consistency, with guessed labels.

    References:
        Wang et al., `FreeMatch <https://arxiv.org/abs/2205.07246>`_, 2023: its self-adaptive
        thresholds (eq. 5-7) and its self-adaptive fairness; over domains as in FixMatch here.
        Fairness is of unlabeled images alone, as in the paper, whether or not labeled ones take
        part in the consistency.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": Consistency(unlabeled_weight, labeled),
            "fairness": Fairness(fairness),
        },
        labeler=SelfAdaptive(decay),
    )
