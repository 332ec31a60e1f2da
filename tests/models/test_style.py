import dataclasses
import functools

import adain_arrays as witness
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxclr.errors import InputError
from jaxclr.models.style import AdaIn, FourierStyle, NoStyle, Style, fourier_style, partners

STYLE = jax.jit(lambda images, partner, ratio: fourier_style(images, partner, ratio=ratio))
DRAW = jax.jit(jax.vmap(partners, (None, 0)))


def images(b: int = 4, h: int = 8, w: int = 6, seed: int = 0, contrast: float = 1.0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(size=(b, h, w, 3))
    return (0.5 + contrast * (values - 0.5)).astype(np.float32)


def frequency(place: int, n: int) -> int:
    """Periods per image of an entry of a spectrum, whichever way round."""
    return min(place, n - place)


def reference(images: np.ndarray, partner: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Image after image, channel after channel, frequency after frequency, by NumPy's FFT."""
    out = np.empty(images.shape)
    b, h, w, channels = images.shape
    for e in range(b):
        half = np.sqrt(ratio[e]) / 2
        for c in range(channels):
            own = np.fft.fft2(images[e, ..., c].astype(np.float64))
            other = np.fft.fft2(images[partner[e], ..., c].astype(np.float64))
            for u, v in np.ndindex(h, w):
                if frequency(u, h) <= half * h and frequency(v, w) <= half * w:
                    own[u, v] = abs(other[u, v]) * np.exp(1j * np.angle(own[u, v]))
            out[e, ..., c] = np.fft.ifft2(own).real
    return out.clip(0, 1)


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_fourier_style_is_the_loop_over_frequencies(h, w, seed):
    rng = np.random.default_rng(seed)
    x, ratio = images(3, h, w, seed), rng.uniform(size=3).astype(np.float32)
    partner = rng.integers(0, 3, 3)
    found = STYLE(x, partner, ratio)
    np.testing.assert_allclose(found, reference(x, partner, ratio), atol=1e-5)


@pytest.mark.parametrize("size", [(8, 6), (7, 9)], ids=str)
def test_amplitudes_are_the_partners_in_the_square_and_phases_are_kept(size):
    # Of so little contrast that nothing is clipped.
    x, partner = images(2, *size, contrast=0.2), np.array([1, 0])
    h, w = size
    before = np.fft.fft2(x, axes=(1, 2))
    after = np.fft.fft2(STYLE(x, partner, 0.3), axes=(1, 2))
    taken = 0
    for u, v in np.ndindex(h, w):
        inside = (2 * frequency(u, h) / h) ** 2 <= 0.3 and (2 * frequency(v, w) / w) ** 2 <= 0.3
        taken += inside
        expected = np.abs(before[partner] if inside else before)[:, u, v]
        np.testing.assert_allclose(np.abs(after[:, u, v]), expected, rtol=1e-3, atol=1e-4)
        turn = after[:, u, v] * before[:, u, v].conj()
        np.testing.assert_allclose(np.angle(turn), 0, atol=1e-2)
    assert 1 < taken < h * w / 2


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0])
def test_an_image_that_is_its_own_partner_comes_back(ratio):
    x = images()
    np.testing.assert_allclose(STYLE(x, np.arange(4), ratio), x, atol=1e-5)


def test_at_ratio_zero_only_the_mean_color_is_taken():
    x, partner = images(contrast=0.3), np.array([1, 2, 3, 0])
    means = x.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(STYLE(x, partner, 0.0), x - means + means[partner], atol=1e-5)


def test_the_ratio_is_of_areas():
    x = images(2, 64, 64, contrast=0.2)
    before = np.abs(np.fft.fft2(x, axes=(1, 2)))
    for ratio in (0.04, 0.25, 0.7):
        after = np.abs(np.fft.fft2(STYLE(x, np.array([1, 0]), ratio), axes=(1, 2)))
        changed = ~np.isclose(after, before, rtol=1e-3, atol=1e-3)
        assert changed.mean() == pytest.approx(ratio, abs=0.03)


def test_images_without_a_spectrum_or_with_a_flat_one_stay_finite():
    x = np.stack([np.zeros((8, 8, 3)), np.ones((8, 8, 3)), *images(2, 8, 8)]).astype(np.float32)
    out = STYLE(x, np.array([2, 3, 0, 1]), 0.5)
    assert np.isfinite(out).all()
    assert out.min() >= 0 and out.max() <= 1


def keys(count: int, seed: int = 0):
    return jax.random.split(jax.random.key(seed), count)


def frequencies(domain) -> np.ndarray:
    """How often each example is the partner of each."""
    domain = jnp.asarray(domain)
    drawn = np.asarray(DRAW(domain, keys(4000)))
    return np.stack([(drawn == e).mean(0) for e in range(len(domain))], axis=1)


@pytest.mark.parametrize("domain", [[0, 1, 2, 0, 1, 2], [0, 0, 0, 0, 1, 1, 2], [1, 0]], ids=str)
def test_every_example_of_another_domain_is_as_likely_a_partner_and_no_other_is(domain):
    found = frequencies(domain)
    for e, own in enumerate(domain):
        others = [o for o, theirs in enumerate(domain) if theirs != own]
        expected = np.zeros(len(domain))
        expected[others] = 1 / len(others)
        np.testing.assert_allclose(found[e], expected, atol=0.04)
        assert (found[e] > 0).sum() == len(others)


def test_in_a_single_domain_all_other_examples_are_as_likely():
    np.testing.assert_allclose(frequencies([2] * 4), (1 - np.eye(4)) / 3, atol=0.04)
    assert (np.diag(frequencies([2] * 4)) == 0).all()


def test_an_example_that_is_alone_is_its_own_partner():
    assert partners(jnp.array([0]), jax.random.key(0)) == 0


def test_examples_draw_independently():
    drawn = np.asarray(DRAW(jnp.array([0, 1] * 4), keys(4000)))
    together = (drawn[:, 0] == drawn[:, 2]).mean()
    assert together == pytest.approx(1 / 4, abs=0.03)


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.sampled_from([1, 2, 7]), st.integers(1, 4), st.integers(0, 99))
def test_no_partner_is_of_the_own_domain_where_there_is_another(b, n, seed):
    domain = np.random.default_rng(seed).integers(0, n, b).tolist()
    drawn = np.asarray(DRAW(jnp.array(domain), keys(50, seed)))
    for once in drawn:
        check_partners(once, domain)


def check_partners(drawn, domain):
    for e, own in enumerate(domain):
        assert 0 <= drawn[e] < len(domain)
        if len(set(domain)) > 1:
            assert domain[drawn[e]] != own
        elif len(domain) > 1:
            assert drawn[e] != e


@functools.lru_cache
def program(style: Style):
    return jax.jit(style)


def styled(style: Style, x, n: int = 2, seed: int = 0, arrays=()) -> np.ndarray:
    return np.asarray(program(style)(arrays, x, jnp.arange(len(x)) % n, jax.random.key(seed)))


def test_fourier_style_takes_from_another_domain_only():
    colors = np.random.default_rng(0).uniform(size=(6, 1, 1, 3)).astype(np.float32)
    flat = np.broadcast_to(colors, (6, 4, 4, 3))
    seen = set()
    for seed in range(20):
        out = styled(FourierStyle(0.0, 1.0), flat, n=3, seed=seed)
        distance = np.abs(out[:, None] - flat[None]).max((2, 3, 4))
        assert (distance.min(1) < 1e-5).all()
        assert (distance.argmin(1) % 3 != np.arange(6) % 3).all()
        seen |= set(distance.argmin(1))
    assert seen == set(range(6))


def test_every_image_has_a_ratio_of_its_own_between_the_bounds():
    x = images(16, 32, 32, contrast=0.2)
    before = np.abs(np.fft.fft2(x, axes=(1, 2)))
    after = np.abs(np.fft.fft2(styled(FourierStyle(0.1, 0.6), x), axes=(1, 2)))
    areas = (~np.isclose(after, before, rtol=1e-3, atol=1e-3)).mean((1, 2, 3))
    assert 0.07 < areas.min() < 0.25 and 0.4 < areas.max() < 0.63
    assert len(np.unique(areas.round(2))) > 5


def test_a_key_fixes_the_views_and_another_changes_them():
    x = images(6)
    first, again, other = (styled(FourierStyle(), x, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (np.abs(first - other).max((1, 2, 3)) > 1e-3).mean() > 0.5


def test_images_spread_over_devices_get_the_same_views():
    x, domain, key = images(16), jnp.arange(16) % 2, jax.random.key(3)
    mesh = Mesh(np.array(jax.devices()), ("rows",))
    spread = jax.device_put((x, domain), NamedSharding(mesh, PartitionSpec("rows")))
    found = program(FourierStyle())((), *spread, key)
    np.testing.assert_allclose(found, styled(FourierStyle(), x, seed=3), atol=1e-6)


def test_no_style_is_the_images_given():
    x = jnp.asarray(images())
    assert NoStyle().load() == () == FourierStyle().load()
    assert NoStyle()((), x, jnp.arange(4) % 2, jax.random.key(0)) is x


@pytest.mark.parametrize("bounds", [(-0.1, 0.5), (0.6, 0.5), (0.5, 1.1), (float("nan"), 1.0)])
def test_ratios_that_are_none_are_refused(bounds):
    with pytest.raises(InputError, match=f"ratio_low is {bounds[0]} and ratio_high {bounds[1]}"):
        FourierStyle(*bounds)


def test_shares_of_style_that_are_none_are_refused():
    for alpha in (-0.5, 1.5, float("nan")):
        with pytest.raises(InputError, match=f"alpha is {alpha}"):
            AdaIn("a.npz", "b.npz", alpha)


@pytest.mark.parametrize("style", [NoStyle(), FourierStyle(0.1, 0.3), AdaIn("a.npz", "b.npz", 0.5)])
def test_settings_are_frozen_and_print_as_themselves(style):
    names = {cls.__name__: cls for cls in (NoStyle, FourierStyle, AdaIn)}
    assert eval(repr(style), names) == style
    with pytest.raises(dataclasses.FrozenInstanceError):
        style.alpha = 1.0


@pytest.fixture
def networks(tmp_path):
    for name, arrays in (("vgg", witness.encoder()), ("decoder", witness.decoder())):
        np.savez(tmp_path / f"{name}.npz", **arrays, **{"40.weight": np.ones(2)})
    return str(tmp_path / "vgg.npz"), str(tmp_path / "decoder.npz")


def test_adain_restyles_by_the_networks_in_the_files(networks):
    style, x = AdaIn(*networks, alpha=0.7), images(6, 16, 16)
    arrays = style.load()
    out = styled(style, x, n=3, arrays=arrays)
    partner = partners(jnp.arange(6) % 3, jax.random.key(0))
    expected = witness.restyled(witness.encoder(), witness.decoder(), x, np.asarray(partner), 0.7)
    np.testing.assert_allclose(out, expected, rtol=1e-3, atol=1e-4)
    assert np.ptp(out) > 0.1 and out.min() >= 0 and out.max() <= 1
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(arrays))


def test_adains_files_are_checked_when_they_are_read(networks):
    encoder, decoder = networks
    with pytest.raises(InputError, match=r"encoder of the style transfer has no 0\.weight"):
        AdaIn(decoder, encoder).load()
    with pytest.raises(InputError, match=r"gone\.npz: cannot be read"):
        AdaIn(encoder, decoder.replace("decoder", "gone")).load()


def test_a_style_compiles_once_for_all_keys():
    traces = []

    def counted(*given):
        traces.append(given)
        return FourierStyle()(*given)

    call = jax.jit(counted)
    for seed in range(3):
        call((), images(), jnp.arange(4) % 2, jax.random.key(seed))
    assert len(traces) == 1
