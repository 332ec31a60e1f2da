"""What a step counts of its pseudo-labels."""

import numpy as np
import pytest
from outcomes import IS_LABELED, LABELED, B, K, N, outcome

from jaxclr.metrics import PARTS
from jaxclr.training.step import guesses
from jaxclr.types import Batch, Views


def views(label, domain) -> Views:
    blank = np.zeros((len(label), 2, 2, 3), np.uint8)
    return Views(blank, blank, np.asarray(label), np.asarray(domain), np.arange(len(label)))


def hidden_labels(seed):
    """Of all images in rows; some of the unlabeled ones are of no known class."""
    rng = np.random.default_rng(seed)
    hidden = rng.integers(-1, K, B)
    outputs = outcome(seed)
    return np.where(IS_LABELED, np.asarray(outputs.given), hidden), outputs


@pytest.mark.parametrize("seed", [1, 2])
def test_guesses_are_counted_one_by_one_by_domain_and_hidden_class(seed):
    hidden, outputs = hidden_labels(seed)
    rows = np.arange(B) % N
    batch = Batch(
        views(hidden[IS_LABELED], rows[IS_LABELED]), views(hidden[~IS_LABELED], rows[~IS_LABELED])
    )
    told = guesses(outputs, batch, K)
    expected = np.zeros((N, K + 1, 3))
    for i in range(B):
        if IS_LABELED[i]:
            continue
        weight = float(outputs.pseudo.weight[i])
        cell = expected[int(outputs.domain[i]), hidden[i]]  # -1 is the last column
        cell[0] += 1
        cell[1] += weight
        cell[2] += weight * (hidden[i] == int(outputs.pseudo.label[i]))
    np.testing.assert_allclose(told[PARTS], expected)
    assert told["unlabeled"] == B - LABELED
    assert told["kept"] == expected[..., 1].sum() > 0
    assert told["known"] == expected[:, :-1, 1].sum()
    assert told["right"] == expected[..., 2].sum() > 0


def test_where_nothing_is_guessed_nothing_is_counted():
    hidden, outputs = hidden_labels(1)
    batch = Batch(views(hidden[:LABELED], [0] * LABELED), views(hidden[LABELED:], [0]))
    assert guesses(outputs._replace(pseudo=None), batch, K) == {}
