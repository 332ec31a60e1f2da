"""ResNet-18, -34 and -50, module by module as torchvision names them."""

import dataclasses
from typing import Any, ClassVar, Literal

import jax
from flax import nnx
from jaxtyping import Array, Float

from jaxclr.models.convolution import conv
from jaxclr.models.network import Model
from jaxclr.models.norm import BatchNorm
from jaxclr.models.pooling import max_pool_3x3
from jaxclr.models.weights import RESNET, Naming

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


class BasicBlock(nnx.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1
    """How many times as wide as its convolutions are its maps."""

    def __init__(self, inputs: int, width: int, stride: int, dtype: Any):
        self.conv1 = conv(inputs, width, 3, stride, dtype)
        self.bn1 = BatchNorm(width)
        self.conv2 = conv(width, width, 3, 1, dtype)
        self.bn2 = BatchNorm(width)
        self.projects = stride != 1 or inputs != width
        if self.projects:
            self.downsample_conv = conv(inputs, width, 1, stride, dtype)
            self.downsample_bn = BatchNorm(width)

    def __call__(
        self, x: Float[Array, "b h w c"], *, groups: int, train: bool
    ) -> Float[Array, "b _h _w _c"]:
        """Maps of half the side where the block strides."""
        out = jax.nn.relu(self.bn1(self.conv1(x), groups=groups, train=train))
        out = self.bn2(self.conv2(out), groups=groups, train=train)
        if self.projects:
            x = self.downsample_bn(self.downsample_conv(x), groups=groups, train=train)
        return jax.nn.relu(out + x)


class Bottleneck(nnx.Module):
    """A 3 x 3 convolution between two of 1 x 1, and a shortcut.

    The 3 x 3 one strides, as in torchvision; in the paper it is the first.
    """

    expansion = 4
    """How many times as wide as its convolutions are its maps."""

    def __init__(self, inputs: int, width: int, stride: int, dtype: Any):
        outputs = self.expansion * width
        self.conv1 = conv(inputs, width, 1, 1, dtype)
        self.bn1 = BatchNorm(width)
        self.conv2 = conv(width, width, 3, stride, dtype)
        self.bn2 = BatchNorm(width)
        self.conv3 = conv(width, outputs, 1, 1, dtype)
        self.bn3 = BatchNorm(outputs)
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.downsample_conv = conv(inputs, outputs, 1, stride, dtype)
            self.downsample_bn = BatchNorm(outputs)

    def __call__(
        self, x: Float[Array, "b h w c"], *, groups: int, train: bool
    ) -> Float[Array, "b _h _w _c"]:
        """Maps of half the side where the block strides."""
        out = jax.nn.relu(self.bn1(self.conv1(x), groups=groups, train=train))
        out = jax.nn.relu(self.bn2(self.conv2(out), groups=groups, train=train))
        out = self.bn3(self.conv3(out), groups=groups, train=train)
        if self.projects:
            x = self.downsample_bn(self.downsample_conv(x), groups=groups, train=train)
        return jax.nn.relu(out + x)


class Layers(nnx.Module):
    """A stem, four stages of blocks, and the mean over positions."""

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], blocks: tuple[int, ...], stem: str,
        remat: bool, dtype: Any,
    ):  # fmt: skip
        self.stem, self.remat = stem, remat
        self.conv1 = conv(3, 64, 7, 2, dtype) if stem == "imagenet" else conv(3, 64, 3, 1, dtype)
        self.bn1 = BatchNorm(64)
        names, inputs = [], 64
        for stage, count in enumerate(blocks):
            for i in range(count):
                stride = 2 if stage and not i else 1
                name = f"layer{stage + 1}_{i}"
                setattr(self, name, block(inputs, 64 * 2**stage, stride, dtype))
                names.append(name)
                inputs = 64 * 2**stage * block.expansion
        self.names = tuple(names)

    def __call__(
        self, x: Float[Array, "b h w 3"], *, groups: int, train: bool
    ) -> Float[Array, "b d"]:
        """Pooled features, as wide as the last maps."""
        how = {"groups": groups, "train": train}

        def stem(conv: nnx.Module, norm: nnx.Module, x: Array) -> Array:
            x = jax.nn.relu(norm(conv(x), **how))
            return max_pool_3x3(x) if self.stem == "imagenet" else x

        def block(layer: BasicBlock | Bottleneck, x: Array) -> Array:
            return layer(x, **how)

        if self.remat:
            stem, block = nnx.remat(stem), nnx.remat(block)
        x = stem(self.conv1, self.bn1, x)
        for name in self.names:
            x = block(getattr(self, name), x)
        return x.mean((1, 2))


@dataclasses.dataclass(frozen=True)
class ResNet(Model):
    """A residual network, of basic blocks or, from 50 layers on, of bottlenecks.

    References:
        He et al., `Deep Residual Learning <https://arxiv.org/abs/1512.03385>`_, 2015.
    """

    depth: Literal[18, 34, 50] = 18
    """Layers with weights. Features have 512 numbers, with 50 layers 2048."""
    stem: Literal["imagenet", "small"] = "imagenet"
    """7 x 7 at stride 2 and a max pool, or 3 x 3 alone for images of 32 px."""

    naming: ClassVar[Naming | None] = RESNET

    def layers(self, dtype: Any) -> tuple[nnx.Module, int]:
        """The flax module."""
        block = Bottleneck if self.depth == 50 else BasicBlock
        layers = Layers(block, STAGES[self.depth], self.stem, self.remat, dtype)
        return layers, 512 * block.expansion
