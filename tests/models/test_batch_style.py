"""One style for a whole batch, against NumPy's Fourier transform, frequency after frequency."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fourier import standardised

from jaxclr.errors import InputError
from jaxclr.models.style import BatchStyle


def images(b: int = 4, h: int = 6, w: int = 7, seed: int = 0, contrast: float = 1.0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(size=(b, h, w, 3))
    return (0.5 + contrast * (values - 0.5)).astype(np.float32)


def many(style: BatchStyle, x: np.ndarray, count: int) -> np.ndarray:
    """What it makes of the same images by many keys."""
    keys = jax.random.split(jax.random.key(7), count)
    return np.asarray(jax.jit(jax.vmap(style, (None, 0)))(x, keys))


@pytest.mark.parametrize("ratio", [0.1, 0.4])
def test_all_images_get_the_low_amplitudes_of_one_of_them(ratio):
    x, style = images(), BatchStyle(1.0, ratio, ratio)
    expected = [standardised(x, one, ratio) for one in range(4)]
    found = many(style, x, 40)
    assert found.min() >= 0 and found.max() <= 1 and (found == 0).any() and (found == 1).any()
    seen = [[bool(np.allclose(y, made, atol=1e-5)) for made in expected] for y in found]
    assert (np.sum(seen, 1) == 1).all()
    assert np.any(seen, 0).all()


def test_every_image_is_as_likely_to_lend_its_style():
    x = images(5)
    found = many(BatchStyle(1.0, 0.3, 0.3), x, 2000)
    lender = np.abs(found - x).max((2, 3, 4)).argmin(1)
    np.testing.assert_allclose(np.bincount(lender, minlength=5) / 2000, 0.2, atol=0.04)


def test_it_is_done_with_the_given_probability_or_not_at_all():
    x = images()
    found = many(BatchStyle(0.3, 0.3, 0.3), x, 1000)
    same = np.array([np.array_equal(y, x) for y in found])
    assert same.mean() == pytest.approx(0.7, abs=0.06)
    np.testing.assert_array_equal(BatchStyle()(jnp.asarray(x), jax.random.key(0)), x)


def test_the_ratio_is_uniform_between_its_bounds():
    # Lines of so little contrast that nothing is clipped: what was taken is counted along them.
    x = images(2, 1, 512, contrast=0.02)
    found = many(BatchStyle(1.0, 0.25, 0.64), x, 300)
    before = np.abs(np.fft.fft(x, axis=2))
    changed = ~np.isclose(np.abs(np.fft.fft(found, axis=3)), before, rtol=1e-3)
    ratio = changed[..., 0].mean((2, 3)).max(1) ** 2
    assert 0.24 < ratio.min() < 0.27 and 0.62 < ratio.max() < 0.66
    assert ratio.mean() == pytest.approx(0.445, abs=0.02)
    assert ratio.var() == pytest.approx(0.39**2 / 12, rel=0.2)


def test_the_key_fixes_all_draws():
    x, style = jnp.asarray(images()), BatchStyle(1.0)
    one, again, other = (style(x, jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "settings",
    [(1.5, 0.0, 0.2), (-0.1, 0.0, 0.2), (1.0, 0.5, 0.2), (1.0, -0.1, 0.2), (1.0, 0.0, 1.1)],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match="must be in"):
        BatchStyle(*settings)
