import numpy as np
import pytest

from jaxclr.errors import InputError
from jaxclr.probe import Probe, domain_probe, linear_probe, nearest_neighbors


def clouds(rng, centres, count=40, spread=0.3):
    """Points around each centre, and which centre they belong to."""
    points = [c + spread * rng.normal(size=(count, len(c))) for c in np.asarray(centres, float)]
    return np.concatenate(points).astype(np.float32), np.repeat(np.arange(len(centres)), count)


def test_classes_that_a_plane_parts_are_read_off_whatever_the_scale_of_a_feature():
    rng = np.random.default_rng(0)
    features, label = clouds(rng, [[0, 0], [2, 0], [0, 2]])
    tested, right = clouds(rng, [[0, 0], [2, 0], [0, 2]])
    scale = np.array([1e-3, 1e3], np.float32)
    guess = linear_probe(features * scale, label, tested * scale)
    assert (guess == right).mean() > 0.97
    np.testing.assert_array_equal(guess, linear_probe(features, label, tested))


def test_its_weights_are_where_the_penalised_likelihood_is_flat():
    """The classes it says are those of the minimiser found by plain gradient descent."""
    rng = np.random.default_rng(1)
    features, label = clouds(rng, [[0, 0], [1, 0]], spread=0.6)
    mean, std = features.mean(0), features.std(0)
    x = np.hstack([(features - mean) / std, np.ones((len(features), 1))]).astype(np.float64)
    w = np.zeros(3)
    for _ in range(5000):
        p = 1 / (1 + np.exp(-x @ w))
        w -= 0.02 * (x.T @ (p - label) + w * [1, 1, 0])
    tested = rng.normal(0.5, 1, (200, 2)).astype(np.float32)
    scores = np.hstack([(tested - mean) / std, np.ones((200, 1))]) @ w
    clear = np.abs(scores) > 0.02
    guess = linear_probe(features, label, tested)
    np.testing.assert_array_equal(guess[clear], (scores > 0)[clear])


def test_neighbours_vote_by_cosine_and_not_by_length():
    features = np.array([[1, 0], [1, 0.1], [0, 9], [0.1, 1], [0, 1]], np.float32)
    label = np.array([0, 0, 1, 1, 1])
    tested = np.array([[100, 1], [0.01, 0.5]], np.float32)
    np.testing.assert_array_equal(nearest_neighbors(features, label, tested, neighbors=1), [0, 1])
    # All five vote, and three are of class 1.
    every = nearest_neighbors(features, label, tested, neighbors=9)
    np.testing.assert_array_equal(every, [1, 1])


def test_domains_apart_are_read_off_and_domains_alike_are_not():
    rng = np.random.default_rng(2)
    apart = [rng.normal(3 * d, 1, (200, 5)).astype(np.float32) for d in range(3)]
    alike = [rng.normal(0, 1, (200, 5)).astype(np.float32) for _ in range(3)]
    assert domain_probe(apart) > 85
    assert abs(domain_probe(alike) - 100 / 3) < 12


def test_the_domain_is_read_off_images_that_did_not_teach():
    """Features that only name the image say nothing of other images."""
    names = np.eye(80, dtype=np.float32)
    assert domain_probe([names[:40], names[40:]]) <= 60


def test_at_least_one_neighbour_votes():
    with pytest.raises(InputError, match=r"--evaluation\.neighbors is 0"):
        Probe(neighbors=0)
