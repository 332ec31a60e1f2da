"""The four-layer ConvNet of Digits-DG."""

import dataclasses
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from jaxclr.models.convolution import conv
from jaxclr.models.network import Model
from jaxclr.models.norm import BatchNorm
from jaxclr.models.pooling import max_pool_2x2


class Layers(nnx.Module):
    """Four times: 3 x 3 convolution, batch norm, ReLU, 2 x 2 max pool."""

    def __init__(self, width: int, normalised: bool, pooled: bool, remat: bool, dtype: Any):
        self.depth, self.pooled, self.remat = 4, pooled, remat
        for i in range(self.depth):
            layer = conv(width if i else 3, width, 3, 1, dtype, bias=not normalised)
            setattr(self, f"conv{i + 1}", layer)
            setattr(self, f"norm{i + 1}", BatchNorm(width) if normalised else None)

    def __call__(
        self, x: Float[Array, "b h w 3"], *, groups: int, train: bool
    ) -> Float[Array, "b d"]:
        """Features: the last maps, flat, or the mean over each."""

        def layer(conv: nnx.Module, norm: nnx.Module | None, x: Array) -> Array:
            x = conv(x)
            x = x if norm is None else norm(x, groups=groups, train=train)
            return max_pool_2x2(jax.nn.relu(x))

        layer = nnx.remat(layer) if self.remat else layer
        for i in range(self.depth):
            x = layer(getattr(self, f"conv{i + 1}"), getattr(self, f"norm{i + 1}"), x)
        return x.mean((1, 2)) if self.pooled else x.reshape(x.shape[0], -1)


@dataclasses.dataclass(frozen=True)
class ConvNet(Model):
    """Four convolutions of equal width for images of 32 x 32 pixels.

    References:
        Zhou et al., `Deep Domain-Adversarial Image Generation
        <https://arxiv.org/abs/2003.06054>`_, 2020: width 64, without batch norm.
    """

    width: int = 64
    """Filters of each layer; features have four times as many numbers at 32 px."""
    size: int = 32
    """Side of the images, in px; at least 16."""
    normalised: bool = True
    """Whether batch norm follows each convolution; Digits-DG's own network has none."""
    pooled: bool = False
    """Whether features are the means over the last maps: ``width`` of them, for images of any size
    from 16 px."""

    def layers(self, dtype: Any) -> tuple[nnx.Module, int]:
        """The flax module."""
        maps = 1 if self.pooled else (self.size // 16) ** 2
        layers = Layers(self.width, self.normalised, self.pooled, self.remat, dtype)
        return layers, maps * self.width

    @property
    def any_size(self) -> bool:
        """Whether images of any size have equally many features."""
        return self.pooled
