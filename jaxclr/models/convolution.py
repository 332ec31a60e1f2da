"""Convolutions whose gradients suit the platform they run on.

XLA computes the gradient in a kernel as a convolution whose window is as large as the maps. Its CPU
backend does that at a third of the speed of a matrix product, and so it is matrix products here,
one for each place in the kernel. Accelerators have kernels of their own for it, and keep them.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

CACHED = 2**18
"""Numbers in a chunk of maps: what is cut out of it, over and over, should stay in the cache."""
NARROW = 16
"""Maps of fewer channels are left to XLA: their products are too thin to be worth cutting."""


def conv(
    inputs: int, outputs: int, side: int, stride: int, dtype: Any, *, bias: bool = False
) -> nnx.Conv:
    """A flax convolution by a square kernel, padded as torch pads (the same on both sides)."""
    pad = side // 2
    return nnx.Conv(
        inputs, outputs, (side, side), (stride, stride), padding=((pad, pad), (pad, pad)),
        use_bias=bias, dtype=dtype, rngs=nnx.Rngs(0), conv_general_dilated=_as_flax_calls,
    )  # fmt: skip


def _as_flax_calls(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"], strides: Any, padding: Any,
    **defaults: Any,
) -> Float[Array, "b _h _w o"]:  # fmt: skip
    return convolve(x, kernel, strides[0])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"], stride: int
) -> Float[Array, "b _h _w o"]:
    """The product of a kernel with every window of maps that ``k // 2`` zeros are around.

    Args:
        x: Feature maps.
        kernel: Square, of odd side ``k``.
        stride: From one window to the next.
    """
    pad = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), ((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


def _forward(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"], stride: int
) -> tuple[Float[Array, "b _h _w o"], tuple[Array, Array]]:
    return convolve(x, kernel, stride), (x, kernel)


def _backward(
    stride: int, seen: tuple[Array, Array], pull: Float[Array, "b _h _w o"]
) -> tuple[Float[Array, "b h w i"], Float[Array, "k k i o"]]:
    x, kernel = seen

    def by_xla(x: Array, pull: Array) -> Array:
        return jax.vjp(lambda kernel: convolve.fun(x, kernel, stride), kernel)[1](pull)[0]

    def by_products(x: Array, pull: Array) -> Array:
        return kernel_gradient(x, pull, side=kernel.shape[0], stride=stride)

    (in_x,) = jax.vjp(lambda x: convolve.fun(x, kernel, stride), x)[1](pull)
    if x.shape[-1] < NARROW or x.dtype != jnp.float32:
        return in_x, by_xla(x, pull)
    return in_x, lax.platform_dependent(x, pull, cpu=by_products, default=by_xla)


convolve.defvjp(_forward, _backward)


def kernel_gradient(
    x: Float[Array, "b h w i"], pull: Float[Array, "b _h _w o"], *, side: int, stride: int
) -> Float[Array, "k k i o"]:
    r"""The gradient of :func:`convolve` in the kernel, by matrix products.

    .. math:: K'_{uv} = \sum_{b, y, x} X_{b,\; s y + u,\; s x + v}^\top \; Y'_{b, y, x}

    Args:
        x: Feature maps.
        pull: :math:`Y'`, the gradient in what the convolution gives.
        side: ``k``, odd.
        stride: :math:`s`.
    """
    images, height, width, channels = x.shape
    most = max(CACHED // (height * width * channels), 1)
    chunk = max(n for n in range(1, min(most, images) + 1) if images % n == 0)
    count, of_chunk = images // chunk, _by_rows if stride == 1 else _by_places

    def add(index: Array, total: Array) -> Array:
        # Every count-th image: where devices share the images out in order, each has some of them.
        parts = (
            lax.dynamic_index_in_dim(y.reshape(chunk, count, *y.shape[1:]), index, 1, False)
            for y in (x, pull)
        )
        return total + of_chunk(*parts, side, stride)

    nothing = jnp.zeros((side, side, channels, pull.shape[-1]), x.dtype)
    return lax.fori_loop(0, count, add, nothing)


def _by_places(
    x: Float[Array, "b h w i"], pull: Float[Array, "b _h _w o"], side: int, stride: int
) -> Float[Array, "k k i o"]:
    """A product for every place in the kernel."""
    pad = side // 2
    x = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    rows, columns = ((size - 1) * stride + 1 for size in pull.shape[1:3])
    pull = pull.reshape(-1, pull.shape[-1])
    found = [
        _rows(x[:, u : u + rows : stride, v : v + columns : stride]).T @ pull
        for u in range(side)
        for v in range(side)
    ]
    return jnp.stack(found).reshape(side, side, *found[0].shape)


def _by_rows(
    x: Float[Array, "b h w i"], pull: Float[Array, "b h w o"], side: int, stride: int
) -> Float[Array, "k k i o"]:
    """A product, wider and so faster, for every row of the kernel; at stride 1 alone."""
    pad, (height, width, outputs) = side // 2, pull.shape[1:]
    x = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    # Instead of the maps, what they are multiplied by is shifted along the columns.
    pull = jnp.pad(pull, ((0, 0), (0, 0), (2 * pad, 2 * pad), (0, 0)))
    shifted = [pull[:, :, 2 * pad - v : width + 4 * pad - v] for v in range(side)]
    every = _rows(jnp.concatenate(shifted, -1))
    found = [_rows(x[:, u : u + height]).T @ every for u in range(side)]
    return jnp.stack([row.reshape(-1, side, outputs).swapaxes(0, 1) for row in found])


def _rows(x: Float[Array, "b h w c"]) -> Float[Array, "b*h*w c"]:
    return x.reshape(-1, x.shape[-1])
