"""Style transfer by adaptive instance normalisation: a frozen encoder and a trained decoder.

The layers are those of the widely used PyTorch port of the paper's networks, whose files
``vgg_normalised.pth`` and ``decoder.pth`` name an array by its layer's place, ``"2.weight"``.
Their widths are the arrays' own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from jaxclr.errors import InputError
from jaxclr.models.pooling import max_pool_2x2
from jaxclr.types import Tensor

Layer = Literal["point", "conv", "reflect", "relu", "halve", "double"]
"""A 1 x 1 or 3 x 3 convolution, a border that reflects, ReLU, max pooling, nearest neighbours."""
Arrays = Mapping[str, Float[Tensor, "..."]]
"""Weights ``[out, in, h, w]`` and biases ``[out]`` by the place of their layer."""

BLOCK: tuple[Layer, ...] = ("reflect", "conv", "relu")
ENCODER: tuple[Layer, ...] = (
    "point", *BLOCK * 2, "halve", *BLOCK * 2, "halve", *BLOCK * 4, "halve", *BLOCK,
)  # fmt: skip
"""VGG-19 up to relu4_1, behind a 1 x 1 convolution that makes its input of RGB in [0, 1]."""
DECODER: tuple[Layer, ...] = (
    *BLOCK, "double", *BLOCK * 4, "double", *BLOCK * 2, "double", *BLOCK, "reflect", "conv",
)  # fmt: skip
"""The encoder backwards; its last layer has no ReLU."""
KERNELS = {"point": 1, "conv": 3}
REDUCTION = 8


def adain(
    content: Float[Array, "b h w c"], style: Float[Array, "b _h _w c"], *, epsilon: float = 1e-5
) -> Float[Array, "b h w c"]:
    r"""Gives the features of one image the channel means and deviations of another's.

    .. math::
        \mathrm{AdaIN}(x, y) = \sigma(y) \, \frac{x - \mu(x)}{\sigma(x)} + \mu(y), \qquad
        \sigma(x) = \sqrt{\mathrm{var}(x) + \epsilon}

    Args:
        content: Whose structure is kept: :math:`x`.
        style: Whose statistics are taken, image by image: :math:`y`. Of any size.
        epsilon: Added to the variances, which are over positions, biased; keeps a channel that is
            constant in ``content`` finite: it becomes the style's mean.

    Returns:
        Features of the shape of ``content``.

    References:
        Huang, Belongie, `Arbitrary Style Transfer in Real-time with Adaptive Instance
        Normalization <https://arxiv.org/abs/1703.06868>`_, 2017, eq. 8. The port takes unbiased
        variances: the same but for ``epsilon`` where both images are of one size.
    """

    def statistics(x: Float[Array, "b h w c"]) -> tuple[Float[Array, "b 1 1 c"], ...]:
        mean = x.mean((1, 2), keepdims=True)
        return mean, jnp.sqrt(x.var((1, 2), keepdims=True) + epsilon)

    mean, deviation = statistics(content)
    target_mean, target_deviation = statistics(style)
    return target_deviation * (content - mean) / deviation + target_mean


def encode(arrays: Arrays, images: Float[Array, "b h w 3"]) -> Float[Array, "b _h _w c"]:
    """The features of images at relu4_1, an eighth of their size.

    Args:
        arrays: Of the encoder, as of :func:`checked`.
        images: RGB in [0, 1]. Sides that 8 does not divide are first made longer, to the right and
            below, by repeating the last pixel.

    Returns:
        Features, not negative.
    """
    _, h, w, _ = images.shape
    longer = ((0, 0), (0, -h % REDUCTION), (0, -w % REDUCTION), (0, 0))
    return _run(ENCODER, arrays, jnp.pad(images, longer, mode="edge"))


def decode(arrays: Arrays, features: Float[Array, "b h w c"]) -> Float[Array, "b _h _w 3"]:
    """Images of eight times the size that have, about, the features given.

    Args:
        arrays: Of the decoder, as of :func:`checked`.
        features: As of :func:`encode`.

    Returns:
        RGB, mostly in [0, 1]; not clipped.
    """
    return _run(DECODER, arrays, features)


def restyle(
    encoder: Arrays,
    decoder: Arrays,
    images: Float[Array, "b h w 3"],
    partner: Int[Array, " b"],
    *,
    alpha: Float[Array, ""] | float = 1.0,
) -> Float[Array, "b h w 3"]:
    r"""Every image in the style of its partner.

    .. math:: g\big((1 - \alpha) f(x) + \alpha \, \mathrm{AdaIN}(f(x), f(y))\big)

    Args:
        encoder: Arrays of :math:`f`.
        decoder: Arrays of :math:`g`.
        images: RGB in [0, 1], :math:`x`; the same size comes back whatever it is.
        partner: Which image of the batch lends :math:`y` to each.
        alpha: Share of the style in [0, 1]; may be traced.

    Returns:
        RGB, clipped to [0, 1].

    References:
        Huang, Belongie, `Arbitrary Style Transfer in Real-time with Adaptive Instance
        Normalization <https://arxiv.org/abs/1703.06868>`_, 2017, eq. 14.
    """
    content = encode(encoder, images)
    mixed = (1 - alpha) * content + alpha * adain(content, content[partner])
    return jnp.clip(decode(decoder, mixed)[:, : images.shape[1], : images.shape[2]], 0, 1)


def _run(
    layers: Sequence[Layer], arrays: Arrays, x: Float[Array, "b h w c"]
) -> Float[Array, "b _h _w _c"]:
    """Layer after layer."""
    for place, layer in enumerate(layers):
        if layer in KERNELS:
            x = jax.lax.conv_general_dilated(
                x, jnp.asarray(arrays[f"{place}.weight"]), (1, 1), "VALID",
                dimension_numbers=("NHWC", "OIHW", "NHWC"),
            ) + jnp.asarray(arrays[f"{place}.bias"])  # fmt: skip
        elif layer == "reflect":
            x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
        elif layer == "relu":
            x = jax.nn.relu(x)
        elif layer == "halve":
            x = max_pool_2x2(x)
        else:
            x = x.repeat(2, axis=1).repeat(2, axis=2)
    return x


def checked(
    encoder: Mapping[str, Shaped[np.ndarray, "..."]],
    decoder: Mapping[str, Shaped[np.ndarray, "..."]],
) -> tuple[dict[str, Float[np.ndarray, "..."]], dict[str, Float[np.ndarray, "..."]]]:
    """The arrays that the layers need, in float32, if there are all and they fit each other.

    Args:
        encoder: From a file; what stands behind relu4_1 is left out.
        decoder: From another.

    Returns:
        Those of the encoder, and those of the decoder.

    Raises:
        InputError: One is missing, or takes or gives another number of channels than it should.
    """
    first, width = _fitting("encoder", ENCODER, encoder, 3, None)
    second, _ = _fitting("decoder", DECODER, decoder, width, 3)
    return first, second


def _fitting(
    what: str, layers: Sequence[Layer], arrays: Mapping[str, Any], width: int, last: int | None
) -> tuple[dict[str, np.ndarray], int]:
    """The arrays of the layers that have some, and how many channels come out of the last one."""
    places = [place for place, layer in enumerate(layers) if layer in KERNELS]
    names = [f"{place}.{part}" for place in places for part in ("weight", "bias")]
    if missing := [name for name in names if name not in arrays]:
        raise InputError(
            f"The {what} of the style transfer has no {', '.join(missing)}; give the file "
            f"{'vgg_normalised' if what == 'encoder' else 'decoder'} of PyTorch's AdaIN."
        )
    for place in places:
        weight, bias = arrays[f"{place}.weight"].shape, arrays[f"{place}.bias"].shape
        side = KERNELS[layers[place]]
        out = last if last and place == places[-1] else weight[0] if weight else 0
        if weight != (out, width, side, side) or bias != (out,):
            raise InputError(
                f"The {what} of the style transfer has {place}.weight of shape {weight} and "
                f"{place}.bias of shape {bias}; they must be {(out, width, side, side)} and "
                f"{(out,)} after the layers before. Give encoder and decoder of one make."
            )
        width = out
    return {name: np.asarray(arrays[name], np.float32) for name in names}, width
