import jax.numpy as jnp
import numpy as np
import pytest
from traces import batch, unlabeled_of

from jaxclr.methods.memory import followed, mean_of_unlabeled


@pytest.mark.parametrize("shape", [(), (3,), (2, 4)])
def test_the_mean_is_over_unlabeled_images_alone(shape):
    one = batch(1)
    values = np.random.default_rng(2).normal(size=(len(one.given), *shape))
    mean = sum(values[e] for e in unlabeled_of(one)) / len(unlabeled_of(one))
    found = mean_of_unlabeled(one, jnp.asarray(values, jnp.float32))
    np.testing.assert_allclose(found, mean, rtol=1e-5, atol=1e-7)
    spoiled = np.where((one.given < 0).reshape(-1, *[1] * len(shape)), values, np.nan)
    np.testing.assert_array_equal(mean_of_unlabeled(one, jnp.asarray(spoiled, jnp.float32)), found)


def test_half_precision_and_truth_values_are_averaged_in_single_precision():
    one = batch(1)._replace(given=jnp.full(300, -1))
    mean = mean_of_unlabeled(one, jnp.ones(300, jnp.bfloat16))
    assert mean.dtype == jnp.float32 and mean == 1
    assert mean_of_unlabeled(one, jnp.arange(300) < 75) == 0.25


def test_an_average_moves_by_the_decay_and_stays_where_nothing_is_unlabeled():
    one, average = batch(1), jnp.array([1.0, -2.0])
    values = jnp.tile(jnp.array([3.0, 4.0]), (len(one.given), 1))
    moved = followed(average, values, one, 0.75)
    np.testing.assert_allclose(moved, [0.75 * 1 + 0.25 * 3, -0.75 * 2 + 0.25 * 4], rtol=1e-6)
    np.testing.assert_array_equal(followed(average, values, one, 1.0), average)
    np.testing.assert_array_equal(followed(average, values, one, 0.0), [3, 4])
    known = one._replace(given=jnp.zeros(len(one.given), int))
    np.testing.assert_array_equal(followed(average, values, known, 0.75), average)
