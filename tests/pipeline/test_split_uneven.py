"""Labels by a long tail, and classes that a domain has too few images of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.errors import InputError
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import count_labels, draw_split, labels_of_classes

CLASSES = ("ant", "bee", "cow")


def domain(name: str, counts: tuple[int, ...]) -> Domain:
    """A domain without pixels; every class has one more image, which is not for training."""
    paths, label, train = [], [], []
    for kind, count in enumerate(counts):
        numbers = range(count + 1)
        paths += [f"{name}/{CLASSES[kind]}/{i:02}.png" for i in numbers]
        label += [kind for _ in numbers]
        train += [i < count for i in numbers]
    images = [np.zeros((1, 1, 3), np.uint8)] * len(paths)
    return Domain(name, tuple(paths), np.array(label, np.int32), np.array(train), images)


def kept(sources, split) -> list[list[int]]:
    """How many labels of every class each domain keeps."""
    return [
        np.bincount(source.label[chosen], minlength=len(CLASSES)).tolist()
        for source, chosen in zip(sources, split.labeled, strict=True)
    ]


WHOLE = [domain("ink", (12, 12, 12)), domain("oil", (12, 12, 12))]
PARTIAL = [domain("ink", (12, 12, 2)), domain("oil", (12, 0, 12))]


@settings(deadline=None, max_examples=50, derandomize=True, database=None)
@given(st.integers(1, 400), st.integers(1, 12), st.integers(1, 300))
def test_the_tail_decays_as_exact_arithmetic_has_it(most, classes, factor):
    """By powers of whole numbers: ``n <= n_0 f^(-k/(K-1))`` is ``n^(K-1) f^k <= n_0^(K-1)``."""
    counts = labels_of_classes(classes, most, float(factor))
    assert len(counts) == classes and counts[0] == most
    for k, count in enumerate(counts):
        power = max(classes - 1, 1)
        fits = [n**power * factor**k <= most**power for n in (count, count + 1)]
        assert fits == [True, False] or (count == 1 and not any(fits))


def test_a_whole_number_is_not_missed_by_a_rounding_error():
    for factor, ends in ((10, (1000, 100)), (100, (1000, 10)), (7, (343, 49))):
        assert labels_of_classes(2, ends[0], float(factor)) == ends
    assert labels_of_classes(4, 1000, 1000.0) == (1000, 100, 10, 1)


def test_without_imbalance_all_classes_keep_as_many():
    assert labels_of_classes(5, 7) == (7,) * 5
    assert labels_of_classes(1, 7, 50.0) == (7,)


def test_every_domain_keeps_the_same_tail():
    split = draw_split(WHOLE, CLASSES, labels_per_class=9, seed=1, imbalance=9.0)
    assert kept(WHOLE, split) == [[9, 3, 1]] * 2
    assert count_labels(WHOLE, labels_of_classes(3, 9, 9.0)) == 26
    for source, labeled, unlabeled in zip(WHOLE, *split, strict=True):
        assert sorted([*labeled, *unlabeled]) == np.flatnonzero(source.train).tolist()


def test_what_a_tail_keeps_is_among_what_is_kept_without_one():
    even = draw_split(WHOLE, CLASSES, labels_per_class=9, seed=3)
    tail = draw_split(WHOLE, CLASSES, labels_per_class=9, seed=3, imbalance=4.0)
    for one, other in zip(tail.labeled, even.labeled, strict=True):
        assert set(one) < set(other)


@pytest.mark.parametrize("imbalance", [0.5, 0.0, float("nan")])
def test_a_tail_that_grows_is_refused(imbalance):
    with pytest.raises(InputError, match="imbalance >= 1"):
        draw_split(WHOLE, CLASSES, labels_per_class=3, seed=0, imbalance=imbalance)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (PARTIAL[:1], "'ink' has 2 training images of class 'cow', but 3 .*--missing-classes"),
        (PARTIAL[1:], "'oil' has no training image of class 'bee'.*--missing-classes allow"),
    ],
)
def test_too_few_images_are_refused_unless_allowed(sources, message):
    with pytest.raises(InputError, match=message):
        draw_split(sources, CLASSES, labels_per_class=3, seed=0)


def test_if_allowed_a_domain_keeps_what_it_has():
    split = draw_split(PARTIAL, CLASSES, labels_per_class=3, seed=0, missing="allow")
    assert kept(PARTIAL, split) == [[3, 3, 2], [3, 0, 3]]
    assert count_labels(PARTIAL, (3, 3, 3), missing="allow") == 14
    assert count_labels(PARTIAL, (3, 3, 3)) == 18
    for source, labeled, unlabeled in zip(PARTIAL, *split, strict=True):
        assert sorted([*labeled, *unlabeled]) == np.flatnonzero(source.train).tolist()
        assert labeled.dtype == unlabeled.dtype == np.int64


def test_where_nothing_is_missing_allowing_it_changes_nothing():
    for seed in range(5):
        one, other = (
            draw_split(WHOLE, CLASSES, labels_per_class=4, seed=seed, missing=missing)
            for missing in ("refuse", "allow")
        )
        for a, b in zip(one.labeled, other.labeled, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_tail_may_need_fewer_images_than_the_first_class():
    split = draw_split(PARTIAL[:1], CLASSES, labels_per_class=8, seed=0, imbalance=4.0)
    assert kept(PARTIAL[:1], split) == [[8, 4, 2]]


def test_a_class_that_no_source_shows_is_refused_even_so():
    lacking = [PARTIAL[1], domain("pen", (5, 0, 5))]
    with pytest.raises(InputError, match=r"No source domain \(oil, pen\) .* of class 'bee'"):
        draw_split(lacking, CLASSES, labels_per_class=3, seed=0, missing="allow")


def test_ten_classes_from_ten_labels_to_one_are_as_by_hand():
    powers = (10, 7.743, 5.995, 4.642, 3.594, 2.783, 2.154, 1.668, 1.292, 1)
    assert labels_of_classes(10, 10, 10.0) == tuple(int(power) for power in powers)
