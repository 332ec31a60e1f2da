"""Vision transformers, module by module as timm names them."""

import dataclasses
import math
import re
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Num, Shaped

from jaxclr.errors import InputError
from jaxclr.models.network import Model
from jaxclr.models.weights import Naming

MODULES = {
    "patch_embed": "patch_embed.proj", "qkv": "attn.qkv", "proj": "attn.proj",
    "fc1": "mlp.fc1", "fc2": "mlp.fc2",
}  # fmt: skip


def linear(inputs: int, outputs: int, dtype: Any) -> nnx.Linear:
    """Weighted sums and a bias, of every token."""
    return nnx.Linear(inputs, outputs, dtype=dtype, rngs=nnx.Rngs(0))


def layer_norm(width: int, dtype: Any) -> nnx.LayerNorm:
    """Normalises every token by its own mean and two-pass variance, in float32."""
    return nnx.LayerNorm(
        width, epsilon=1e-6, use_fast_variance=False, dtype=dtype, rngs=nnx.Rngs(0)
    )


class Block(nnx.Module):
    """Attention among tokens, then two layers on each, both on what is normalised, and added."""

    def __init__(self, width: int, heads: int, dtype: Any):
        self.norm1 = layer_norm(width, dtype)
        self.qkv = linear(width, 3 * width, dtype)
        self.proj = linear(width, width, dtype)
        self.norm2 = layer_norm(width, dtype)
        self.fc1 = linear(width, 4 * width, dtype)
        self.fc2 = linear(4 * width, width, dtype)
        self.heads = heads

    def __call__(self, x: Num[Array, "b n w"]) -> Num[Array, "b n w"]:
        """As many tokens of the same width."""
        x = x + self.proj(self._mixed(self.norm1(x)))
        return x + self.fc2(jax.nn.gelu(self.fc1(self.norm2(x)), approximate=False))

    def _mixed(self, x: Num[Array, "b n w"]) -> Num[Array, "b n w"]:
        """For every token and head, the mean of all values by how keys answer its query."""
        b, n, width = x.shape
        split = self.qkv(x).reshape(b, n, 3, self.heads, width // self.heads)
        query, key, value = (split[:, :, i] for i in range(3))
        return jax.nn.dot_product_attention(query, key, value).reshape(x.shape)


class Layers(nnx.Module):
    """Patches and a class token with their positions, blocks, and a last layer norm."""

    def __init__(self, model: "Vit", dtype: Any):
        patch, width = (model.patch, model.patch), model.width
        self.patch_embed = nnx.Conv(
            3, width, patch, patch, padding="VALID", dtype=dtype, rngs=nnx.Rngs(0)
        )
        self.cls_token = nnx.Param(jnp.zeros((1, 1, width)))
        self.pos_embed = nnx.Param(jnp.zeros((1, 1 + (model.size // model.patch) ** 2, width)))
        for i in range(model.depth):
            setattr(self, f"blocks_{i}", Block(width, model.heads, dtype))
        self.norm = layer_norm(width, dtype)
        self.size, self.depth, self.dtype = model.size, model.depth, dtype
        self.remat = model.remat

    def __call__(self, x: Num[Array, "b h w 3"], *, groups: int, train: bool) -> Num[Array, "b d"]:
        """The class token, normalised; domains and training make no difference."""
        if x.shape[1:3] != (self.size, self.size):
            raise InputError(
                f"The model is of images of {self.size} px, and these are of {x.shape[2]} x "
                f"{x.shape[1]}. Give --model.size and --augment.size the same number."
            )
        x = self.patch_embed(x).reshape(x.shape[0], -1, self.cls_token.shape[-1])
        first = jnp.broadcast_to(self.cls_token[...], (x.shape[0], 1, x.shape[-1]))
        x = jnp.concatenate([first.astype(self.dtype), x], 1) + self.pos_embed[...]
        x = x.astype(self.dtype)
        block = nnx.remat(Block.__call__) if self.remat else Block.__call__
        for i in range(self.depth):
            x = block(getattr(self, f"blocks_{i}"), x)
        return self.norm(x)[:, 0]


def resampled(
    name: str, array: Shaped[np.ndarray, "..."], shape: tuple[int, ...]
) -> Shaped[np.ndarray, "..."]:
    """Positions of a square of patches for a square of another size, by bicubic interpolation.

    As timm does it: Keys' kernel with a = -1/2, widened where the square becomes smaller; the
    class token's own position stays. The values are not those of DINO's code, which has
    a = -3/4 and no widening.

    Args:
        name: Of the array; all but ``pos_embed`` is returned as it is.
        array: Of shape ``[1, 1 + side * side, width]``; any other is returned as it is.
        shape: Wanted.

    Returns:
        The positions wanted, if the side is all that differs.
    """
    if name != "pos_embed" or array.shape == shape or array.ndim != 3:
        return array
    old, new = (math.isqrt(max(count - 1, 0)) for count in (array.shape[1], shape[1]))
    if array.shape != (1, 1 + old * old, shape[2]):
        return array
    square = array[0, 1:].reshape(old, old, -1)
    other = jax.image.resize(square, (new, new, square.shape[-1]), "bicubic")
    return np.concatenate([array[:, :1], np.asarray(other).reshape(1, new * new, -1)], 1)


def _module(name: str) -> str:
    return re.sub(r"^blocks_(\d+)$", r"blocks.\1", MODULES.get(name, name))


VIT = Naming(_module, "head", resampled)
"""timm's names, which are also those of DeiT's and DINO's own files."""


@dataclasses.dataclass(frozen=True)
class Vit(Model):
    """A vision transformer, by default ViT-S/16; features are the class token after the last norm.

    ``norm`` has no effect: there is no batch norm, and images are seen each by itself. Positions
    of weights for images of another size are interpolated.

    Raises:
        InputError: The size is no multiple of the patch's, or the width none of the heads.

    References:
        Dosovitskiy et al., `An Image is Worth 16x16 Words <https://arxiv.org/abs/2010.11929>`_,
        2020.
        Touvron et al., `DeiT <https://arxiv.org/abs/2012.12877>`_, 2020: the small one.
        Caron et al., `DINO <https://arxiv.org/abs/2104.14294>`_, 2021.
    """

    width: int = 384
    """Numbers of a token, and of the features."""
    depth: int = 12
    """Blocks."""
    heads: int = 6
    """Among which attention is shared out."""
    patch: int = 16
    """Side of a patch, in px."""
    size: int = 224
    """Side of the images, in px; as that of the views."""

    naming: ClassVar[Naming | None] = VIT

    def __post_init__(self) -> None:
        if self.size < self.patch or self.size % self.patch:
            raise InputError(f"size is {self.size}: give a multiple of patch, {self.patch}.")
        if self.width % self.heads:
            raise InputError(f"width is {self.width}: give a multiple of heads, {self.heads}.")

    def layers(self, dtype: Any) -> tuple[nnx.Module, int]:
        """The flax module."""
        return Layers(self, dtype), self.width

    @property
    def any_size(self) -> bool:
        """No: there is a position for every patch of images of ``size``, and no other."""
        return False
