"""Multi-crop: small windows of an image predict its whole views."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr.losses import cosine_distance
from jaxclr.methods.method import Term, needed
from jaxclr.methods.simclr import both_views
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class WindowsPredictAverage(Term):
    r"""Squared distance between small windows' predictions and averaged weights' embeddings.

    .. math::
        \ell = \frac{1}{c} \sum_{j=1}^{c} \sum_{v=1}^{2} \|\hat q_j - \hat z_v\|^2

    of every image, with the unit predictions :math:`\hat q_j` of its :math:`c` small windows and
    the unit embeddings :math:`\hat z_v` of its two strong views by the averaged weights, which get
    no gradient. What is seen of a part is to tell the whole; the small windows are never targets.

    References:
        Caron et al., `SwAV <https://arxiv.org/abs/2006.09882>`_, 2020, section 3.2; `DINO
        <https://arxiv.org/abs/2104.14294>`_, 2021, eq. 3; with BYOL's distance in place of theirs.
        They take the mean over all pairs of views and windows. So does this term beside
        :class:`jaxclr.methods.byol.PredictsAverage`, but for a factor, if it weighs :math:`c`.
    """

    reads = ("strong", "second", "average", "crops")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean over all images, in [0, 8]."""
        targets = needed(outputs.average, "averaged weights: an experiment with ema_decay")
        return 4 * _distance(outputs, [target.embedding for target in targets])


@dataclasses.dataclass(frozen=True)
class WindowsPredictViews(Term):
    """Cosine distance between small windows' predictions and the strong views' embeddings.

    The mean over windows and both views, which get no gradient by it; SimSiam's counterpart of
    :class:`WindowsPredictAverage`.
    """

    reads = ("strong", "second", "crops")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean over all images, in [0, 2]."""
        return _distance(outputs, [view.embedding for view in both_views(outputs)])


def _distance(outputs: Outputs, targets: Sequence[Float[Array, "b e"]]) -> Float[Array, ""]:
    """The mean cosine distance over images, windows and targets."""
    windows = needed(outputs.crops, "a pass over small windows: SelfSupervised(crops=4)")
    distances = [
        cosine_distance(
            needed(window.predicted, "a model with predictor=Mlp()"),
            jax.lax.stop_gradient(target),
        )
        for window in windows
        for target in targets
    ]
    return jnp.stack(distances).mean()
