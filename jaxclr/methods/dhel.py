"""MV-DHEL: the two views of an image attract, and within each view images repel."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import mv_dhel
from jaxclr.methods.erm import Nobody
from jaxclr.methods.method import Method, Term
from jaxclr.methods.simclr import both_views
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class DecoupledEnergies(Term):
    """Aligns the two strong views of each image and spreads the images within each view."""

    temperature: float = 0.5
    """T > 0; small values attend to the nearest other images only."""

    reads = ("strong", "second")

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The mean in nats over all images, of either sign."""
        strong, second = both_views(outputs)
        return mv_dhel(strong.embedding, second.embedding, temperature=self.temperature).mean()


def dhel(*, temperature: float = 0.5) -> Method:
    """Alignment of two strong views, decoupled from the energies within each, without any label.

    The model has ``projector=Mlp()``.

    Args:
        temperature: T > 0.

    References:
        Koromilas et al., `DHEL <https://arxiv.org/abs/2405.18045>`_, 2024, and `MV-DHEL
        <https://arxiv.org/abs/2507.06979>`_, 2025; see :func:`jaxclr.losses.mv_dhel` for what is
        ours.
    """
    return Method({"contrast": DecoupledEnergies(1.0, temperature)}, Nobody())
