import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxclr.models.convolution import SMALL, by_places, by_xla, conv, convolve, kernel_gradient


def maps(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def written_out(x, pull, side, stride):
    """The gradient in the kernel, place by place and image by image, in float64."""
    pad = side // 2
    x = np.pad(np.asarray(x, np.float64), ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    found = np.zeros((side, side, x.shape[-1], pull.shape[-1]))
    for u, v, b in itertools.product(range(side), range(side), range(len(x))):
        for y, z in itertools.product(*map(range, pull.shape[1:3])):
            found[u, v] += np.outer(x[b, y * stride + u, z * stride + v], pull[b, y, z])
    return found


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (SMALL + 1, 4)])
def test_the_kernels_gradient_is_the_sum_over_all_windows(side, stride, size):
    x = maps(0, 2, *size, 3)
    pull = maps(1, 2, *(-(-n // stride) for n in size), 4)
    found = kernel_gradient(jnp.asarray(x), jnp.asarray(pull), side=side, stride=stride)
    np.testing.assert_allclose(found, written_out(x, pull, side, stride), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_it_does_not_matter_into_how_many_chunks_images_fall(stride, monkeypatch):
    x, pull = maps(0, 12, 10, 10, 4), maps(1, 12, 10 // stride, 10 // stride, 3)
    whole = kernel_gradient(jnp.asarray(x), jnp.asarray(pull), side=3, stride=stride)
    for images in (1, 5, 7):
        monkeypatch.setattr("jaxclr.models.convolution.CACHED", images * 10 * 10 * 4)
        parts = kernel_gradient(jnp.asarray(x), jnp.asarray(pull), side=3, stride=stride)
        np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("size", [(1, 1), (2, 4), (5, 3)])
def test_place_by_place_is_the_compilers_convolution(side, size):
    x, kernel = jnp.asarray(maps(0, 2, *size, 3)), jnp.asarray(maps(1, side, side, 3, 4))
    wanted = by_xla(x, kernel, 1)
    np.testing.assert_allclose(by_places(x, kernel), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [3, 128])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_both_gradients_are_those_of_xlas_convolution(channels, stride, dtype):
    x, kernel = jnp.asarray(maps(0, 4, 6, 6, channels)), jnp.asarray(maps(1, 3, 3, channels, 8))
    pull = jnp.asarray(maps(2, 4, 6 // stride, 6 // stride, 8), dtype)

    def plain(x, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=numbers
        )

    args = (x.astype(dtype), kernel.astype(dtype))
    ours, pulled = jax.vjp(lambda x, kernel: convolve(x, kernel, stride), *args)
    wanted, pulled_plain = jax.vjp(plain, *args)
    close = {"rtol": 1e-5, "atol": 1e-4} if dtype == jnp.float32 else {"rtol": 2e-2, "atol": 0.5}
    pairs = zip((ours, *pulled(pull)), (wanted, *pulled_plain(pull)), strict=True)
    for found, known in pairs:
        assert found.dtype == dtype
        np.testing.assert_allclose(
            np.asarray(found, np.float32), np.asarray(known, np.float32), **close
        )


@pytest.mark.parametrize("size", [4, 12])
def test_on_accelerators_the_compilers_own_operations_stay(size):
    x, kernel = jnp.zeros((1, size, size, 512)), jnp.zeros((3, 3, 512, 16))

    def lowered(platform):
        gradient = jax.grad(lambda x, kernel: (convolve(x, kernel, 1) ** 2).sum(), (0, 1))
        traced = jax.jit(gradient).trace(x, kernel)
        return traced.lower(lowering_platforms=(platform,)).as_text()

    assert "stablehlo.dot_general" in lowered("cpu")
    for platform in ("cuda", "tpu"):
        assert "stablehlo.dot_general" not in lowered(platform)
        assert lowered(platform).count("stablehlo.convolution") == 3


def test_devices_that_share_images_out_find_the_same():
    x, pull = jnp.asarray(maps(0, 8, 10, 10, 4)), jnp.asarray(maps(1, 8, 10, 10, 3))
    rows = NamedSharding(Mesh(np.array(jax.devices()[:4]), ("data",)), PartitionSpec("data"))

    def gradient(x, pull):
        return kernel_gradient(x, pull, side=3, stride=1)

    shared = jax.jit(gradient)(*jax.device_put((x, pull), rows))
    np.testing.assert_allclose(shared, gradient(x, pull), rtol=1e-5, atol=1e-5)


def test_the_module_pads_as_torch_does_and_has_a_bias_where_asked():
    layer = conv(3, 4, 3, 2, jnp.float32, bias=True)
    assert layer(jnp.zeros((1, 7, 7, 3))).shape == (1, 4, 4, 4)
    assert layer.bias is not None
    assert conv(3, 4, 1, 1, jnp.float32).bias is None
