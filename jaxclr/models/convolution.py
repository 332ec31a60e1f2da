"""Convolutions by what is fastest on the platform that they run on.

XLA's CPU backend knows one way for all of them. It computes the gradient in a kernel as a
convolution whose window is as large as the maps, at a third of the speed of a matrix product; and
around small maps, whose windows reach over the edge more often than not, it multiplies zeros. Both
are matrix products here. Accelerators have kernels of their own for each case, and keep them.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

CACHED = 2**18
"""Numbers in a chunk of maps: what is cut out of it, over and over, should stay in the cache."""
NARROW, FEW = 16, 4_500
"""Channels, and numbers of one image's maps; with less, they are left to XLA: products would be
thin, and every way costs time to compile."""
SMALL = 7
"""Side, in positions, of the largest maps that are taken place by place."""

Cut = tuple[slice, slice, slice]


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
    of_cpu = by_places if _pays(x) and _is_small(x, stride) else None
    return _chosen(of_cpu, lambda x, kernel: by_xla(x, kernel, stride), x, kernel)


def _forward(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"], stride: int
) -> tuple[Float[Array, "b _h _w o"], tuple[Array, Array]]:
    return convolve(x, kernel, stride), (x, kernel)


def _backward(
    stride: int, seen: tuple[Array, Array], pull: Float[Array, "b _h _w o"]
) -> tuple[Float[Array, "b h w i"], Float[Array, "k k i o"]]:
    x, kernel = seen
    pays, small = _pays(x), _is_small(x, stride)

    def in_x(kernel: Array, pull: Array) -> Array:
        return jax.vjp(lambda x: by_xla(x, kernel, stride), x)[1](pull)[0]

    def in_x_by_places(kernel: Array, pull: Array) -> Array:
        return by_places(pull, kernel[::-1, ::-1].swapaxes(2, 3))

    def in_kernel(x: Array, pull: Array) -> Array:
        return jax.vjp(lambda kernel: by_xla(x, kernel, stride), kernel)[1](pull)[0]

    def in_kernel_by_products(x: Array, pull: Array) -> Array:
        return kernel_gradient(x, pull, side=len(kernel), stride=stride)

    return (
        _chosen(in_x_by_places if pays and small else None, in_x, kernel, pull),
        _chosen(in_kernel_by_products if pays else None, in_kernel, x, pull),
    )


convolve.defvjp(_forward, _backward)


def _chosen(cpu: Callable[..., Array] | None, default: Callable[..., Array], *args: Array) -> Array:
    """By ``cpu`` on that platform, if there is such a way; else by ``default``."""
    if cpu is None:
        return default(*args)
    return lax.platform_dependent(*args, cpu=cpu, default=default)


def _pays(x: Float[Array, "b h w i"]) -> bool:
    """Whether matrix products are worth their while on the CPU."""
    return x.dtype == jnp.float32 and x.shape[-1] >= NARROW and math.prod(x.shape[1:]) >= FEW


def _is_small(x: Float[Array, "b h w i"], stride: int) -> bool:
    return stride == 1 and max(x.shape[1:3]) <= SMALL


def by_xla(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"], stride: int
) -> Float[Array, "b _h _w o"]:
    """:func:`convolve` by the compiler's own operation."""
    pad = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), ((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


def by_places(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"]
) -> Float[Array, "b h w o"]:
    """:func:`convolve` at stride 1: a matrix product for every place in the kernel.

    Only positions whose window has that place within the maps take part in it.
    """
    total = jnp.zeros((*x.shape[:3], kernel.shape[-1]), x.dtype)
    for (u, v), under, window in _places(x, len(kernel)):
        cut = x[under]
        product = _rows(cut) @ kernel[u, v]
        total = total.at[window].add(product.reshape(*cut.shape[:3], kernel.shape[-1]))
    return total


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
    if _is_small(x, stride):
        return _all_places(x, pull, side)
    most = max(CACHED // (height * width * channels), 1)
    chunk = max(n for n in range(1, min(most, images) + 1) if images % n == 0)
    count, of_chunk = images // chunk, _row_by_row if stride == 1 else _place_by_place

    def add(index: Array, total: Array) -> Array:
        # Every count-th image: where devices share the images out in order, each has some of them.
        some_x, some_pull = (
            lax.dynamic_index_in_dim(y.reshape(chunk, count, *y.shape[1:]), index, 1, False)
            for y in (x, pull)
        )
        return total + of_chunk(some_x, some_pull, side, stride)

    nothing = jnp.zeros((side, side, channels, pull.shape[-1]), x.dtype)
    return lax.fori_loop(0, count, add, nothing)


def _all_places(
    x: Float[Array, "b h w i"], pull: Float[Array, "b h w o"], side: int
) -> Float[Array, "k k i o"]:
    """A product for every place in the kernel, of positions within small maps alone."""
    found = [_rows(x[under]).T @ _rows(pull[window]) for _, under, window in _places(x, side)]
    return jnp.stack(found).reshape(side, side, *found[0].shape)


def _place_by_place(
    x: Float[Array, "b h w i"], pull: Float[Array, "b _h _w o"], side: int, stride: int
) -> Float[Array, "k k i o"]:
    """A product for every place in the kernel."""
    x, (rows, columns) = _padded(x, side // 2), ((n - 1) * stride + 1 for n in pull.shape[1:3])
    found = [
        _rows(x[:, u : u + rows : stride, v : v + columns : stride]).T @ _rows(pull)
        for u in range(side)
        for v in range(side)
    ]
    return jnp.stack(found).reshape(side, side, *found[0].shape)


def _row_by_row(
    x: Float[Array, "b h w i"], pull: Float[Array, "b h w o"], side: int, stride: int
) -> Float[Array, "k k i o"]:
    """A product, wider and so faster, for every row of the kernel; at stride 1 alone."""
    pad, (height, width, outputs) = side // 2, pull.shape[1:]
    x = _padded(x, pad)
    # Instead of the maps, what they are multiplied by is shifted along the columns.
    pull = jnp.pad(pull, ((0, 0), (0, 0), (2 * pad, 2 * pad), (0, 0)))
    shifted = [pull[:, :, 2 * pad - v : width + 4 * pad - v] for v in range(side)]
    every = _rows(jnp.concatenate(shifted, -1))
    found = [_rows(x[:, u : u + height]).T @ every for u in range(side)]
    return jnp.stack([row.reshape(-1, side, outputs).swapaxes(0, 1) for row in found])


def _places(x: Float[Array, "b h w i"], side: int) -> Iterator[tuple[tuple[int, int], Cut, Cut]]:
    """Every place ``(u, v)`` in a kernel, what of the maps lies under it, and in whose windows."""
    every, pad = slice(None), side // 2

    def along(size: int, place: int) -> tuple[slice, slice]:
        shift = place - pad
        first = max(0, -shift)
        last = max(first, min(size, size - shift))
        return slice(first + shift, last + shift), slice(first, last)

    for u in range(side):
        for v in range(side):
            (rows, into_rows), (columns, into_columns) = along(x.shape[1], u), along(x.shape[2], v)
            yield (u, v), (every, rows, columns), (every, into_rows, into_columns)


def _padded(x: Float[Array, "b h w c"], pad: int) -> Float[Array, "b _h _w c"]:
    return jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def _rows(x: Float[Array, "b h w c"]) -> Float[Array, "b*h*w c"]:
    return x.reshape(-1, x.shape[-1])
