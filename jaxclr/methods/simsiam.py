"""SimSiam: each view predicts the other one, which is held fixed."""

import dataclasses

import jax
from jaxtyping import Array, Float

from jaxclr.losses import cosine_distance
from jaxclr.methods.erm import Nobody
from jaxclr.methods.method import Method, Term, needed
from jaxclr.methods.multicrop import WindowsPredictViews
from jaxclr.methods.simclr import both_views
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class PredictsOther(Term):
    """Cosine distance between the prediction of one view and the embedding of the other.

    The mean of both ways. What is predicted gets no gradient; without that, all images end up at
    one point.
    """

    reads = ("strong", "second")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean over all images in [0, 2]: one plus the paper's negative cosine."""
        views = both_views(outputs)
        distances = [
            cosine_distance(
                needed(view.predicted, "a model with predictor=Mlp()"),
                jax.lax.stop_gradient(other.embedding),
            )
            for view, other in zip(views, reversed(views), strict=True)
        ]
        return (distances[0] + distances[1]).mean() / 2


def simsiam(*, windows_weight: float = 0.0) -> Method:
    """Prediction of one strong view's fixed embedding from the other, without any label.

    The model has ``projector=Mlp(normalised=True)`` and ``predictor=Mlp(normalised=True)``.

    Args:
        windows_weight: Factor of small windows' predictions of both views; above 0, the experiment
            has ``augment=SelfSupervised(crops=4)``, or another number.

    References:
        Chen, He, `SimSiam <https://arxiv.org/abs/2011.10566>`_, 2020, eq. 4; small windows are not
        theirs, see :class:`WindowsPredictViews`.
    """
    method = Method({"prediction": PredictsOther()}, Nobody())
    if windows_weight:
        return method.plus(windows=WindowsPredictViews(windows_weight))
    return method
