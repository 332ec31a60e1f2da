"""BYOL: each view predicts what averaged weights make of the other one."""

import dataclasses

import jax
from jaxtyping import Array, Float

from jaxclr.losses import cosine_distance
from jaxclr.methods.erm import Nobody
from jaxclr.methods.method import Method, Term, needed
from jaxclr.methods.multicrop import WindowsPredictAverage
from jaxclr.methods.simclr import both_views
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class PredictsAverage(Term):
    """Squared distance of unit vectors between predictions and averaged weights' embeddings.

    Both ways: the strong view predicts the second one, and the second the strong one. The averaged
    weights are the paper's target network and get no gradient.
    """

    reads = ("strong", "second", "average")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean over all images of the sum of both ways, in [0, 8]."""
        targets = jax.lax.stop_gradient(
            needed(outputs.average, "averaged weights: an experiment with ema_decay")
        )
        pairs = zip(both_views(outputs), reversed(targets), strict=True)
        distances = [
            cosine_distance(needed(view.predicted, "a model with predictor=Mlp()"), to.embedding)
            for view, to in pairs
        ]
        return 2 * (distances[0] + distances[1]).mean()


def byol(*, windows_weight: float = 0.0) -> Method:
    """Prediction of averaged weights' embeddings across two strong views, without any label.

    The model has ``projector=Mlp(normalised=True)`` and ``predictor=Mlp(normalised=True)``, and
    the experiment an ``ema_decay``: the target network's, which is constant here, where the
    paper's rises from 0.996 to 1.

    Args:
        windows_weight: Factor of small windows' predictions of both views; above 0, the experiment
            has ``augment=SelfSupervised(crops=4)``, or another number.

    References:
        Grill et al., `BYOL <https://arxiv.org/abs/2006.07733>`_, 2020, eq. 2; small windows are
        not theirs, see :class:`WindowsPredictAverage`.
    """
    method = Method({"prediction": PredictsAverage()}, Nobody())
    if windows_weight:
        return method.plus(windows=WindowsPredictAverage(windows_weight))
    return method
