"""FlexMatch: what a class has to be trusted for depends on how well it is learned by now."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.method import Labeler, Method, likeliest, probabilities_of
from jaxclr.types import Evidence, PseudoLabels, Sizes


class LastConfident(NamedTuple):
    """Of every unlabeled image, the last guess that was confident."""

    label: Int[Array, " u"]
    """Class of that guess; -1: none yet."""


@dataclasses.dataclass(frozen=True)
class CurriculumThreshold(Labeler):
    r"""Trusts a guess wholly from the threshold of its class on, and not at all below.

    With :math:`\sigma_c` the number of unlabeled images whose last confident guess was class c,
    and :math:`\sigma_0` that of images never guessed with confidence,

    .. math:: \beta_c = \sigma_c / \max(\max_j \sigma_j, \sigma_0), \qquad
        T_c = \tau \, \beta_c / (2 - \beta_c).

    The counts are those before the step. So at first every guess is trusted, whatever its
    confidence; thresholds rise as more images are guessed with confidence, the first of them to
    the full :math:`\tau` once its class outnumbers the rest never so guessed. Labeled images are
    guessed like all others, but not counted.
    """

    threshold: float = 0.95
    """tau, in [0, 1]: least confidence to be counted, and to be trusted of the best class."""
    warms_up: bool = True
    """Whether images never guessed with confidence hold thresholds down; if not, the best class
    has the full threshold from its first confident guess on."""

    def init(self, sizes: Sizes) -> LastConfident:
        """No image has been guessed with confidence."""
        return LastConfident(jnp.full(sizes.num_unlabeled, -1, jnp.int32))

    def label(
        self, memory: LastConfident, evidence: Evidence
    ) -> tuple[LastConfident, PseudoLabels]:
        """The likeliest class, weighted 1 or 0."""
        probabilities = probabilities_of(evidence.prediction)
        guess = likeliest(probabilities, 0.0)
        learned = self._learned(memory, probabilities.shape[1])
        least = self.threshold * learned / (2 - learned)
        trusted = guess.confidence >= least[guess.label]
        counted = (evidence.number >= 0) & (guess.confidence >= self.threshold)
        # A place past the end is dropped, whereas -1 would be the last one.
        place = jnp.where(counted, evidence.number, len(memory.label))
        label = memory.label.at[place].set(guess.label.astype(jnp.int32), mode="drop")
        return LastConfident(label), guess._replace(weight=trusted.astype(jnp.float32))

    def _learned(self, memory: LastConfident, num_classes: int) -> Float[Array, " k"]:
        count = jnp.bincount(memory.label + 1, length=num_classes + 1).astype(jnp.float32)
        most = (count if self.warms_up else count[1:]).max()
        return count[1:] / jnp.maximum(most, 1)


def flexmatch(
    *,
    threshold: float = 0.95,
    unlabeled_weight: float = 1.0,
    warms_up: bool = True,
    labeled: bool = True,
) -> Method:
    """FixMatch with a threshold per class, lower for classes that are learned less well.

    Args:
        threshold: Least confidence of a trusted guess of the best learned class, in [0, 1].
        unlabeled_weight: Factor of the consistency term.
        warms_up: Whether images never guessed with confidence hold thresholds down.
        labeled: Whether labeled images take part in the consistency, with guessed labels.

    References:
        Zhang et al., `FlexMatch <https://arxiv.org/abs/2110.08263>`_, 2021, eq. 5, 6 and 11, and
        its convex mapping; over domains as in FixMatch here.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": Consistency(unlabeled_weight, labeled),
        },
        labeler=CurriculumThreshold(threshold, warms_up),
    )
