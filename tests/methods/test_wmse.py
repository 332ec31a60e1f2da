import jax
import jax.numpy as jnp
import numpy as np
import pytest
from everything import directions, everything, with_embeddings
from outcomes import B

from jaxclr.errors import InputError
from jaxclr.methods.wmse import WhitenedDistance, wmse


def whitened(x, epsilon):
    """By the inverse of the Cholesky factor of the covariance, shrunk towards its mean."""
    x = np.asarray(x, np.float64)
    covariance = np.cov(x.T)
    shrunk = (1 - epsilon) * covariance + epsilon * np.trace(covariance) / len(covariance) * np.eye(
        len(covariance)
    )
    return (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(shrunk)).T


@pytest.mark.parametrize("epsilon", [1e-3, 0.3])
@pytest.mark.parametrize("slices", [1, 2])
def test_it_is_the_mean_squared_distance_after_whitening_each_slice_of_each_view(slices, epsilon):
    outputs = everything()
    order = np.asarray(jax.random.permutation(outputs.key, B))
    distances = []
    for part in np.split(order, slices):
        one, two = (
            directions(whitened(view.embedding[part], epsilon))
            for view in (outputs.strong, outputs.second)
        )
        distances += [((one[i] - two[i]) ** 2).sum() for i in range(len(part))]
    assert len(distances) == B
    value = WhitenedDistance(epsilon=epsilon, slices=slices)(outputs)
    np.testing.assert_allclose(value, np.mean(distances), rtol=1e-4)


def test_both_views_are_dealt_alike_and_anew_at_every_step():
    outputs = everything()
    term = WhitenedDistance(slices=2)
    agreeing = with_embeddings(outputs, second=outputs.strong.embedding)
    np.testing.assert_allclose(term(agreeing), 0, atol=1e-5)
    later = outputs._replace(key=jax.random.key(7))
    assert abs(term(later) - term(outputs)) > 1e-3
    np.testing.assert_allclose(WhitenedDistance()(later), WhitenedDistance()(outputs), rtol=1e-4)


def test_scales_and_lower_triangular_mixtures_of_features_cost_nothing():
    outputs = everything()
    mixed = outputs.strong.embedding @ jnp.tril(jnp.full((4, 4), 0.3) + jnp.eye(4)).T + 2.0
    agreeing = with_embeddings(outputs, second=mixed)
    np.testing.assert_allclose(WhitenedDistance(epsilon=0.0)(agreeing), 0, atol=1e-4)


def test_slices_that_do_not_divide_the_batch_are_refused():
    with pytest.raises(InputError, match="slices is 5; it must divide the 12 images of a batch"):
        WhitenedDistance(slices=5)(everything())


def test_its_knobs_arrive():
    assert wmse().terms == {"whitening": WhitenedDistance(1.0, 1e-3, 1)}
    assert wmse(epsilon=0.1, slices=4).terms == {"whitening": WhitenedDistance(1.0, 0.1, 4)}
