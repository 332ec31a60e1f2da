"""SimCLR: the two views of an image find each other among all views of the batch."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import nt_xent
from jaxclr.methods.erm import Nobody
from jaxclr.methods.method import Method, Term, needed
from jaxclr.types import Outputs, Prediction


@dataclasses.dataclass(frozen=True)
class ViewContrast(Term):
    """NT-Xent between the two strong views of each image, labeled or not, over all domains.

    It is a mean over the batch, as in the paper, and not a sum over domains: views of all domains
    are compared with each other, so that there is no loss of one domain. The other
    self-supervised terms follow it in that.
    """

    temperature: float = 0.5
    """T > 0; small values attend to the nearest other images only."""
    decoupled: bool = False
    """Whether the positive stays out of the sum that repels."""

    reads = ("strong", "second")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean in nats over all images."""
        strong, second = both_views(outputs)
        return nt_xent(
            strong.embedding,
            second.embedding,
            temperature=self.temperature,
            decoupled=self.decoupled,
        ).mean()


def both_views(outputs: Outputs) -> tuple[Prediction, Prediction]:
    """What self-supervised terms need: predictions on both strong views of all images."""
    return needed(outputs.strong, "a pass over strong views"), needed(
        outputs.second, "a pass over second strong views"
    )


def simclr(*, temperature: float = 0.5, decoupled: bool = False) -> Method:
    """NT-Xent of two strong views, without any label.

    The model has ``projector=Mlp()``. Nothing trains the classifier: a probe on the features
    tells what they are worth.

    Args:
        temperature: T > 0.
        decoupled: Whether the positive stays out of the sum that repels (DCL).

    References:
        Chen et al., `SimCLR <https://arxiv.org/abs/2002.05709>`_, 2020, eq. 1; Yeh et al.,
        `Decoupled Contrastive Learning <https://arxiv.org/abs/2110.06848>`_, 2021.
    """
    return Method({"contrast": ViewContrast(1.0, temperature, decoupled)}, Nobody())
