import functools

import adain_arrays as witness
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from adain_arrays import images
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.errors import InputError
from jaxclr.models.adain import adain, checked, decode, encode, restyle

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
ALIGN, ENCODE, DECODE, RESTYLE = (jax.jit(f) for f in (adain, encode, decode, restyle))


def features(seed: int, h: int = 4, w: int = 5) -> jax.Array:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, h, w, 3)) * rng.uniform(0.1, 5, (2, 1, 1, 3)) + rng.normal(size=3)
    return jnp.asarray(x, jnp.float32)


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(*[st.integers(1, 5)] * 4, st.integers(0, 99))
def test_adain_is_the_loop_over_images_and_channels(h, w, style_h, style_w, seed):
    content, style = features(seed, h, w), features(seed + 1, style_h, style_w)
    np.testing.assert_allclose(ALIGN(content, style), witness.aligned(content, style), **CLOSE)


def test_adain_takes_means_and_deviations_of_the_style_and_keeps_the_rest():
    content, style = features(0), features(1, 7, 3)
    out = np.asarray(ALIGN(content, style))
    for statistic in (np.mean, np.std):
        np.testing.assert_allclose(
            statistic(out, (1, 2)), statistic(np.asarray(style), (1, 2)), rtol=1e-2, atol=1e-5
        )
    for b, c in np.ndindex(2, 3):
        correlation = np.corrcoef(out[b, ..., c].ravel(), np.ravel(content[b, ..., c]))[0, 1]
        assert correlation == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(ALIGN(content, content), content, **CLOSE)


def test_a_constant_channel_becomes_the_mean_of_the_style():
    content, style = jnp.full((2, 4, 4, 3), 7.0), features(1)
    out = ALIGN(content, style)
    expected = np.broadcast_to(np.mean(style, (1, 2), keepdims=True), out.shape)
    np.testing.assert_allclose(out, expected, **CLOSE)
    assert np.isfinite(jax.grad(lambda x: adain(x, style).sum())(content)).all()


def test_the_encoder_is_the_loops_over_its_layers_in_the_ports_order():
    arrays, x = witness.encoder(), images()
    found = ENCODE(arrays, x)
    assert found.shape == (2, 2, 3, 7)
    expected = witness.encoded(arrays, x)
    np.testing.assert_allclose(found, expected, **CLOSE)
    assert 0.2 < (expected > 0).mean() < 0.99


def test_the_decoder_is_the_loops_over_its_layers_in_the_ports_order():
    arrays = witness.decoder()
    x = np.random.default_rng(2).uniform(size=(2, 2, 3, 7)).astype(np.float32)
    found = DECODE(arrays, x)
    assert found.shape == (2, 16, 24, 3)
    np.testing.assert_allclose(found, witness.decoded(arrays, x), **CLOSE)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_restyled_images_are_decoded_from_mixed_features_of_image_and_partner(alpha):
    encoder, decoder, x = witness.encoder(), witness.decoder(), images(3)
    partner = np.array([2, 0, 1])
    expected = witness.restyled(encoder, decoder, x, partner, alpha)
    found = RESTYLE(encoder, decoder, x, partner, alpha=alpha)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert (expected == 0).any() or (expected == 1).any()
    assert ((expected > 0) & (expected < 1)).mean() > 0.2


@pytest.mark.parametrize("size", [(16, 17), (9, 24), (20, 13)], ids=str)
def test_sides_not_divisible_by_eight_are_continued_and_cut_again(size):
    encoder, decoder, x = witness.encoder(), witness.decoder(), images(2, *size)
    h, w = (-(-side // 8) * 8 for side in size)
    rows, columns = (np.minimum(np.arange(n), m - 1) for n, m in zip((h, w), size, strict=True))
    longer = x[:, rows][:, :, columns]
    partner = np.array([1, 0])
    whole = RESTYLE(encoder, decoder, longer, partner)
    found = RESTYLE(encoder, decoder, x, partner)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, whole[:, : size[0], : size[1]], **CLOSE)


def test_the_smallest_images_have_features_of_one_position():
    out = RESTYLE(witness.encoder(), witness.decoder(), images(2, 8, 8), np.array([1, 0]))
    assert out.shape == (2, 8, 8, 3)
    assert np.isfinite(out).all()


@functools.lru_cache
def vgg() -> tuple[dict, dict]:
    """Arrays of the published shapes, without memory of their own."""
    widths = (3, 64, 64, 128, 128, 256, 256, 256, 256, 512)
    back = (256, 256, 256, 256, 128, 128, 64, 64, 3)
    networks = []
    for places, outputs, inputs in ((witness.ENCODER, widths, 3), (witness.DECODER, back, 512)):
        arrays = {}
        for place, out in zip(places, outputs, strict=True):
            side = 1 if place == 0 else 3
            arrays[f"{place}.weight"] = np.broadcast_to(np.float32(0), (out, inputs, side, side))
            arrays[f"{place}.bias"] = np.broadcast_to(np.float32(0), (out,))
            inputs = out
        networks.append(arrays)
    return networks[0], networks[1]


def test_the_published_shapes_fit_and_what_stands_behind_relu4_1_is_left_out():
    encoder, decoder = vgg()
    deeper = {"32.weight": np.zeros((512, 512, 3, 3)), "32.bias": np.zeros(512)}
    first, second = checked({**encoder, **deeper}, decoder)
    assert first.keys() == encoder.keys() and second.keys() == decoder.keys()


def test_checked_arrays_are_the_files_in_single_precision():
    encoder = {name: x.astype(np.float64) for name, x in witness.encoder().items()}
    decoder = {name: x.astype(jnp.bfloat16) for name, x in witness.decoder().items()}
    for found, file in zip(checked(encoder, decoder), (encoder, decoder), strict=True):
        assert found.keys() == file.keys()
        for name, array in found.items():
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, file[name].astype(np.float32))


@pytest.mark.parametrize(
    ("network", "name", "shape", "told"),
    [
        ("encoder", "0.weight", (3, 3, 3, 3), r"encoder .*must be \(3, 3, 1, 1\) and \(3,\)"),
        ("encoder", "5.weight", (4, 9, 3, 3), r"encoder .*must be \(4, 4, 3, 3\) and \(4,\)"),
        ("encoder", "5.bias", (3,), r"encoder .*5\.bias of shape \(3,\)"),
        ("encoder", "29.weight", (), r"encoder .*29\.weight of shape \(\)"),
        ("decoder", "1.weight", (6, 8, 3, 3), r"decoder .*must be \(6, 7, 3, 3\) and \(6,\)"),
        ("decoder", "28.weight", (4, 4, 3, 3), r"decoder .*must be \(3, 4, 3, 3\) and \(3,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_named_with_what_would(network, name, shape, told):
    networks = {"encoder": witness.encoder(), "decoder": witness.decoder()}
    networks[network][name] = np.zeros(shape)
    with pytest.raises(InputError, match=told):
        checked(**networks)


def test_arrays_that_are_missing_are_all_named():
    encoder, decoder = witness.encoder(), witness.decoder()
    told = r"encoder .* has no 0\.weight, 0\.bias, 2\.weight, 2\.bias, 9\.weight"
    with pytest.raises(InputError, match=told):
        checked(decoder, decoder)
    del decoder["28.bias"], decoder["1.weight"]
    with pytest.raises(InputError, match=r"decoder .* has no 1\.weight, 28\.bias; give the file"):
        checked(encoder, decoder)
