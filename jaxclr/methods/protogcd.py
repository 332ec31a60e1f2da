"""ProtoGCD's dual-level labels: the clearest guesses are hard labels, all others soft ones."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxclr.methods.erm import Supervised
from jaxclr.methods.method import Labeler, Method, likeliest, probabilities_of
from jaxclr.methods.soft import SoftConsistency
from jaxclr.types import Evidence, PseudoLabels, Sizes


@dataclasses.dataclass(frozen=True)
class DualLevel(Labeler):
    r"""Makes the guesses that lead the most clearly hard labels; relies on all of them fully.

    Images of the batch, labeled or not, are ranked by how many times as likely the likeliest class
    is as the next. The first :math:`\lfloor r b \rfloor` of them get one-hot labels, the others

    .. math:: \mathrm{softmax}(f / T), \qquad
        r = r_0 + (1 - r_0) \min(\text{progress} / \text{ramp}, 1).

    Of images that lead alike, none is hard unless there is room for all. Needs two classes.
    """

    start: float = 0.0
    """r_0 in [0, 1]: share of hard labels in the first step."""
    ramp: float = 1.0
    """Fraction of the run, in (0, 1], after which all labels are hard."""
    temperature: float = 0.5
    """T > 0 of soft labels, where 1 leaves them as the network states them."""

    def init(self, sizes: Sizes) -> tuple[()]:
        """Nothing is remembered."""
        return ()

    def label(self, memory: tuple[()], evidence: Evidence) -> tuple[tuple[()], PseudoLabels]:
        """The likeliest class, weighted 1; ``probabilities`` are its one-hot or soft label."""
        logits = evidence.prediction.logits.astype(jnp.float32)
        best, next_best = jax.lax.top_k(logits, 2)[0].T
        # The logarithm of the ratio, which unlike the ratio itself is never infinite.
        lead = best - next_best
        place = (lead[:, None] <= lead).sum(1)
        ratio = self.start + (1 - self.start) * jnp.minimum(evidence.progress / self.ramp, 1.0)
        is_hard = place <= jnp.floor(ratio * len(lead))
        guess = likeliest(probabilities_of(evidence.prediction), 1.0)
        target = jnp.where(
            is_hard[:, None],
            jax.nn.one_hot(guess.label, logits.shape[1]),
            jax.nn.softmax(logits / self.temperature),
        )
        return (), guess._replace(probabilities=target)


def protogcd(
    *,
    start: float = 0.0,
    ramp: float = 1.0,
    temperature: float = 0.5,
    unlabeled_weight: float = 1.0,
    labeled: bool = True,
) -> Method:
    """Cross-entropy on given labels, and on dual-level labels across views.

    Of the paper this has the labels alone, not its entropy and separation terms or its contrast.

    Args:
        start: Share of hard labels in the first step, in [0, 1]; the authors' code has 0.2.
        ramp: Fraction of the run after which all labels are hard; the authors' code has a half.
        temperature: T > 0 of soft labels, relative to the network's own; as in the authors' code,
            which divides cosines by 0.05 for labels and by 0.1 for predictions.
        unlabeled_weight: Factor of the consistency term.
        labeled: Whether labeled images take part in the consistency, with guessed labels.

    References:
        Ma, Zhu, Zhang, Liu, `ProtoGCD <https://arxiv.org/abs/2504.03755>`_, 2025, its section on
        dual-level adaptive pseudo-labeling; over domains as in FixMatch here.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": SoftConsistency(unlabeled_weight, labeled),
        },
        labeler=DualLevel(start, ramp, temperature),
    )
