import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contrasts import VIEW_LOSSES, each_view_loss
from pairs import directions

(nt_xent, _), (dcl, _), (mv_dhel, _) = VIEW_LOSSES.values()


def gradient(loss, first, second, temperature=0.5):
    """Of the sum over images, by either view."""

    def total(first, second):
        return loss(first, second, temperature=temperature).sum()

    return jax.grad(total, argnums=(0, 1))(jnp.asarray(first), jnp.asarray(second))


def alignment(first, second, *, temperature):
    """What attracts two views of an image, alone."""
    lengths = jnp.linalg.norm(first, axis=1) * jnp.linalg.norm(second, axis=1)
    return -(first * second).sum(1) / lengths / temperature


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_of_orthogonal_images_whose_views_agree_the_logarithm_counts(temperature):
    views, T = [jnp.eye(5)] * 2, temperature
    found = nt_xent(*views, temperature=T)
    np.testing.assert_allclose(found, np.log1p(8 * np.exp(-1 / T)), rtol=1e-4, atol=1e-6)
    found = dcl(*views, temperature=T)
    np.testing.assert_allclose(found, np.log(8) - 1 / T, rtol=1e-6)
    np.testing.assert_allclose(mv_dhel(*views, temperature=T), 2 * np.log(4) - 1 / T, rtol=1e-6)


def test_one_image_alone_is_repelled_by_nothing():
    first, second = np.random.default_rng(0).normal(size=(2, 1, 4)).astype(np.float32)
    assert nt_xent(jnp.asarray(first), jnp.asarray(second)) == 0
    for slope in gradient(nt_xent, first, second):
        np.testing.assert_allclose(slope, 0, atol=1e-6)
    attraction = -(directions(first) * directions(second)).sum(1)
    pulls = gradient(alignment, first, second)
    for loss in (dcl, mv_dhel):
        found = loss(jnp.asarray(first), jnp.asarray(second), temperature=0.5)
        np.testing.assert_allclose(found, attraction / 0.5, rtol=1e-5)
        for slope, expected in zip(gradient(loss, first, second), pulls, strict=True):
            np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-6)


@each_view_loss
def test_a_zero_row_is_at_cosine_zero_with_a_finite_gradient(loss, reference):
    first, second = np.random.default_rng(1).normal(size=(2, 6, 4)).astype(np.float32)
    first[2] = 0
    second[4] = 0
    found = loss(jnp.asarray(first), jnp.asarray(second), temperature=0.05)
    np.testing.assert_allclose(found, reference(first, second, 0.05), rtol=1e-4, atol=1e-5)
    assert all(np.isfinite(x).all() for x in gradient(loss, first, second, 0.05))


ROOMS = {
    "anything": np.random.default_rng(2).normal(size=(2, 8, 4)),
    "the same": np.ones((2, 8, 4)),
    "opposite views": np.ones((2, 8, 4)) * [[[1.0]], [[-1.0]]],
    "opposite images": np.ones((2, 8, 4)) * ((-1.0) ** np.arange(8))[:, None],
    "zero": np.zeros((2, 8, 4)),
}


@each_view_loss
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("room", ROOMS)
def test_low_temperatures_stay_finite(room, dtype, loss, reference):
    views = jnp.asarray(ROOMS[room], dtype)
    rounded = np.asarray(views, np.float32)
    for temperature in (0.02, 0.05):
        found = loss(*views, temperature=temperature)
        assert found.dtype == jnp.float32
        expected = reference(*rounded, temperature)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)
        for slope in gradient(loss, *views, temperature):
            assert np.isfinite(slope.astype(jnp.float32)).all()


def test_nt_xent_is_never_negative():
    for room in ROOMS.values():
        assert (nt_xent(*jnp.asarray(room, jnp.float32), temperature=0.05) > -1e-5).all()
