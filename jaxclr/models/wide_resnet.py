"""Wide residual networks, WRN-28-2 and WRN-37-2, as semi-supervised learning uses them."""

import dataclasses
from types import MappingProxyType
from typing import Any, Literal

import jax
from flax import nnx
from jaxtyping import Array, Float

from jaxclr.models.convolution import conv
from jaxclr.models.network import Model
from jaxclr.models.norm import BatchNorm

STEM = 16
"""Filters of the first convolution, however wide the rest is."""
BLOCKS = 4
"""Blocks in each group."""
STRIDES = MappingProxyType({28: (1, 2, 2), 37: (2, 2, 2, 2)})
"""Stride of each group's first block, by depth."""
SLOPE = 0.1
"""Of the leaky ReLU, below zero."""


class PreActivationBlock(nnx.Module):
    """Twice batch norm, leaky ReLU and 3 x 3 convolution, and a shortcut.

    Where the width or the side changes, the shortcut is a 1 x 1 convolution of what the first
    leaky ReLU gives; elsewhere it is the input as it came.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, momentum: float, dtype: Any):
        self.bn1 = norm(inputs, momentum)
        self.conv1 = conv(inputs, outputs, 3, stride, dtype)
        self.bn2 = norm(outputs, momentum)
        self.conv2 = conv(outputs, outputs, 3, 1, dtype)
        changes = stride != 1 or inputs != outputs
        self.shortcut = conv(inputs, outputs, 1, stride, dtype) if changes else None

    def __call__(
        self, x: Float[Array, "b h w c"], *, groups: int, train: bool
    ) -> Float[Array, "b _h _w _c"]:
        """Maps of half the side where the block strides."""
        out = jax.nn.leaky_relu(self.bn1(x, groups=groups, train=train), SLOPE)
        x = x if self.shortcut is None else self.shortcut(out)
        out = self.bn2(self.conv1(out), groups=groups, train=train)
        return x + self.conv2(jax.nn.leaky_relu(out, SLOPE))


class Layers(nnx.Module):
    """A convolution, groups of blocks, batch norm, leaky ReLU, and the mean over positions."""

    def __init__(
        self, width: int, strides: tuple[int, ...], momentum: float, remat: bool, dtype: Any
    ):
        self.remat = remat
        self.conv1 = conv(3, STEM, 3, 1, dtype)
        names, inputs = [], STEM
        for group, stride in enumerate(strides):
            outputs = width * 2**group
            for i in range(BLOCKS):
                name = f"group{group + 1}_{i}"
                block = PreActivationBlock(inputs, outputs, 1 if i else stride, momentum, dtype)
                setattr(self, name, block)
                names.append(name)
                inputs = outputs
        self.names = tuple(names)
        self.bn1 = norm(inputs, momentum)

    def __call__(
        self, x: Float[Array, "b h w 3"], *, groups: int, train: bool
    ) -> Float[Array, "b d"]:
        """Pooled features, as wide as the last group."""

        def block(layer: PreActivationBlock, x: Array) -> Array:
            return layer(x, groups=groups, train=train)

        block = nnx.remat(block) if self.remat else block
        x = self.conv1(x)
        for name in self.names:
            x = block(getattr(self, name), x)
        return jax.nn.leaky_relu(self.bn1(x, groups=groups, train=train), SLOPE).mean((1, 2))


@dataclasses.dataclass(frozen=True)
class WideResNet(Model):
    """A wide residual network of pre-activated blocks, the usual backbone of small images.

    As in USB and in the first paper, a block that changes the width takes its shortcut after the
    activation; FixMatch's own code does so in the first group alone. Convolutions have no bias:
    batch norm follows each, or the sum they are added to. A leaky ReLU has slope 0.1 below zero,
    batch norm epsilon 1e-3.

    References:
        Zagoruyko, Komodakis, `Wide Residual Networks <https://arxiv.org/abs/1605.07146>`_, 2016.
        Oliver et al., `Realistic Evaluation of Deep Semi-Supervised Learning Algorithms
        <https://arxiv.org/abs/1804.09170>`_, 2018: leaky ReLU and these batch-norm settings.
        Sohn et al., `FixMatch <https://arxiv.org/abs/2001.07685>`_, 2020: WRN-37-2 for STL-10.
        Wang et al., `USB: A Unified Semi-supervised Learning Benchmark
        <https://arxiv.org/abs/2208.07204>`_, 2022: where each group strides.
    """

    depth: Literal[28, 37] = 28
    """28: three groups of blocks, for images of 32 px. 37: four groups, the first of which halves
    the side too, for the 96 px of STL-10."""
    width: int = 32
    """Filters of the first group, twice as many in each that follows: features have 128 (depth 28)
    or 256 (depth 37). 32 is WRN-28-2 and WRN-37-2, 128 is WRN-28-8."""
    momentum: float = 0.999
    """Share of batch norm's running statistics that one batch leaves, in [0, 1); torch's 0.001.
    Runs of fewer than some thousand steps want 0.9."""

    def layers(self, dtype: Any) -> tuple[nnx.Module, int]:
        """The backbone and the width of its features."""
        strides = STRIDES[self.depth]
        features = self.width * 2 ** (len(strides) - 1)
        return Layers(self.width, strides, self.momentum, self.remat, dtype), features


def norm(width: int, momentum: float) -> BatchNorm:
    """Batch norm as semi-supervised learning sets it: epsilon 1e-3.

    Args:
        width: How many channels.
        momentum: Share of the running statistics that one batch leaves.
    """
    return BatchNorm(width, momentum=momentum, epsilon=1e-3)
