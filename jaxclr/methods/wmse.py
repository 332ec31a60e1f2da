"""W-MSE: the two views of an image lie close together after whitening."""

import dataclasses

import jax
from jaxtyping import Array, Float, Num

from jaxclr.errors import InputError
from jaxclr.losses import whitening_mse
from jaxclr.methods.erm import Nobody
from jaxclr.methods.method import Method, Term
from jaxclr.methods.simclr import both_views
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class WhitenedDistance(Term):
    """Squared distance of unit vectors between two strong views, each whitened by itself."""

    epsilon: float = 1e-3
    """Shrinkage of the covariance, in [0, 1]."""
    slices: int = 1
    """Into how many parts of equal size the batch is dealt at random before whitening, both views
    alike; each part should have more images than an embedding has numbers."""

    reads = ("strong", "second")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean over all images, in [0, 4] up to rounding.

        Raises:
            InputError: The batch cannot be dealt into that many equal parts.
        """
        views = [seen.embedding for seen in both_views(outputs)]
        if len(views[0]) % self.slices:
            raise InputError(
                f"slices is {self.slices}; it must divide the {len(views[0])} images of a batch."
            )
        order = jax.random.permutation(outputs.key, len(views[0]))
        strong, second = (self._dealt(view[order]) for view in views)

        def distance(one: Num[Array, "s e"], two: Num[Array, "s e"]) -> Float[Array, " s"]:
            return whitening_mse(one, two, epsilon=self.epsilon)

        return jax.vmap(distance)(strong, second).mean()

    def _dealt(self, view: Num[Array, "b e"]) -> Num[Array, "n s e"]:
        return view.reshape(self.slices, -1, view.shape[-1])


def wmse(*, epsilon: float = 1e-3, slices: int = 1) -> Method:
    """Distance of two strong views after whitening, without any label.

    The model has ``projector=Mlp()`` with a ``width`` below the number of images in a slice; half
    of it in the paper.

    Args:
        epsilon: Shrinkage of the covariance, in [0, 1]; ours.
        slices: Into how many equal parts the batch is dealt at random.

    References:
        Ermolov et al., `Whitening for Self-Supervised Representation Learning
        <https://arxiv.org/abs/2007.06346>`_, 2020, section 3, with two views and batch slicing.
    """
    return Method({"whitening": WhitenedDistance(1.0, epsilon, slices)}, Nobody())
