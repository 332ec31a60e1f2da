"""Max pooling by reshapes and slices.

XLA's ``reduce_window`` has the slowest backward pass of a small network on the CPU; these have
the same values, and the same gradient but for ties, which share it. Not by ``jnp.max``: its
gradient divides by how many entries equal the maximum, which are none, and the gradient NaN,
where XLA computes the entries anew with another rounding.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def max_pool_2x2(x: Float[Array, "b h w c"]) -> Float[Array, "b h//2 w//2 c"]:
    """The maximum of every 2 x 2 window; an odd last row or column is left out."""
    b, h, w, c = x.shape
    windows = x[:, : h // 2 * 2, : w // 2 * 2].reshape(b, h // 2, 2, w // 2, 2, c)
    # The gradient of a split is a concatenation; that of slices, a sum of padded maps.
    rows = jnp.maximum(*jnp.split(windows, 2, axis=2))
    return jnp.maximum(*jnp.split(rows, 2, axis=4)).reshape(b, h // 2, w // 2, c)


def max_pool_3x3(x: Float[Array, "b h w c"]) -> Float[Array, "b (h+1)//2 (w+1)//2 c"]:
    """The maximum of 3 x 3 windows at stride 2, one pixel of padding, rows then columns."""
    return _max_3(_max_3(x, 1), 2)


def _max_3(x: Float[Array, "b h w c"], axis: int) -> Float[Array, "b _h _w c"]:
    size = x.shape[axis]
    pads = [(0, 0)] * 4
    pads[axis] = (1, 1)
    padded = jnp.pad(x, pads, constant_values=-jnp.inf)
    windows = [
        padded[tuple(slice(k, k + size, 2) if a == axis else slice(None) for a in range(4))]
        for k in range(3)
    ]
    return jnp.maximum(jnp.maximum(windows[0], windows[1]), windows[2])
