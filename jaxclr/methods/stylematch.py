"""StyleMatch: guesses on weak views are the labels of strong views, and of restyled ones."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import cross_entropy
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Method, Term, needed, over_domains
from jaxclr.models.style import FourierStyle, Style
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class StyleConsistency(Term):
    """Cross-entropy of restyled weak views against trusted guesses, summed over the domains.

    The mean of each domain is over all its images of the batch, trusted or not.
    """

    labeled: bool = True
    """Whether labeled images, with their *guessed* label, are among them, as in the protocol."""
    reads = ("pseudo", "style")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value in nats."""
        style = needed(outputs.style, "a pass over restyled views")
        pseudo = needed(outputs.pseudo, "pseudo-labels")
        losses = pseudo.weight * cross_entropy(style.logits, pseudo.label)
        return over_domains(outputs, losses, labeled=self.labeled)


def stylematch(
    *,
    style: Style | None = None,
    threshold: float = 0.95,
    unlabeled_weight: float = 1.0,
    style_weight: float = 1.0,
    labeled: bool = True,
) -> Method:
    """FixMatch whose guesses are the labels of weak views in another domain's style, too.

    The paper's classifier is a setting of the model: ``classifier=Stochastic()``, whose weights
    are drawn anew in every pass that learns. Guesses and tests take their mean, as in the
    authors' code. There images are restyled without augmentation, all of a domain after one other
    domain; here they are weak views, each after an image of its own: our choice.

    Args:
        style: What restyles; none given: by Fourier amplitudes, which need no weights. The
            paper's is :class:`jaxclr.models.style.AdaIn`, which needs those of its networks.
        threshold: Least confidence of a trusted guess, in [0, 1].
        unlabeled_weight: Factor of the consistency across strong views.
        style_weight: Factor of the consistency across styles.
        labeled: Whether labeled images take part in both, with guessed labels.

    References:
        Zhou, Loy, Liu, `Semi-Supervised Domain Generalization with Stochastic StyleMatch
        <https://arxiv.org/abs/2106.00592>`_, 2021, and its code.
    """
    base = fixmatch(threshold=threshold, unlabeled_weight=unlabeled_weight, labeled=labeled)
    method = base.plus(style=StyleConsistency(style_weight, labeled))
    return dataclasses.replace(method, style=FourierStyle() if style is None else style)
