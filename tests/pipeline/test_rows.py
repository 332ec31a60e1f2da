import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.errors import InputError
from jaxclr.pipeline.rows import Picked, Row, gather, located
from jaxclr.pipeline.source import Images

ROWS = [
    Row("line 2", "b.png", "dog", "oil"),
    Row("line 3", "ink/cat/a.png", "cat", "ink"),
    Row("line 4", "a.png", None, "oil", train=False),
    Row("line 5", "c.png", "emu", "oil"),
    Row("line 6", "ink/a.png", "dog", "ink"),
]


def test_rows_become_sorted_domains_and_classes():
    (ink, oil), classes = gather("t", ROWS)
    assert classes == ("cat", "dog", "emu")
    assert (ink.name, oil.name) == ("ink", "oil")
    assert ink.paths == ("ink/a.png", "ink/cat/a.png")
    assert oil.paths == ("oil/a.png", "oil/b.png", "oil/c.png")
    assert ink.label.tolist() == [1, 0] and oil.label.tolist() == [-1, 1, 2]
    assert ink.train.tolist() == [True, True] and oil.train.tolist() == [False, True, True]
    assert ink.rows.tolist() == [4, 1] and oil.rows.tolist() == [2, 0, 3]


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.permutations(range(len(ROWS))))
def test_the_order_of_the_rows_changes_nothing_but_where_they_are(order):
    groups, classes = gather("t", [ROWS[i] for i in order])
    expected, same = gather("t", ROWS)
    assert classes == same
    for group, other in zip(groups, expected, strict=True):
        assert (group.name, group.paths) == (other.name, other.paths)
        assert [order[i] for i in group.rows] == other.rows.tolist()
        np.testing.assert_array_equal(group.label, other.label)
        np.testing.assert_array_equal(group.train, other.train)


def test_numbers_are_classes_in_their_order_whatever_the_gaps():
    rows = [Row(f"row {i}", f"{i}.png", n, "ab"[i % 2]) for i, n in enumerate([10, 9, 10, 2])]
    (a, b), classes = gather("t", rows)
    assert classes == ("2", "9", "10")
    assert a.label.tolist() == [2, 2] and b.label.tolist() == [1, 0]


def test_known_classes_keep_their_order():
    (ink, oil), classes = gather("t", ROWS, ("emu", "dog", "owl", "cat"))
    assert classes == ("emu", "dog", "owl", "cat")
    assert ink.label.tolist() == [1, 3] and oil.label.tolist() == [-1, 1, 0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Row("line 9", "b.png", "cat", "oil"), "line 9: b.png is there twice, first on line 2"),
        (Row("line 9", "b.png", "cat", "ink"), "line 9: b.png is there twice, first on line 2"),
        (Row("line 9", "oil/b.png", "cat", "oil"), "oil/b.png is there twice, first on line 2"),
        (Row("line 9", "z.png", 3, "oil"), "'dog' on line 2 is a name, but 3 on line 9 is a num"),
        (Row("line 9", "z.png", "cat", "a/b"), "line 9: 'a/b' is no name for a domain"),
        (Row("line 9", "z.png", "cat", ".."), "line 9: '..' is no name for a domain"),
        (Row("line 9", "z.png", "cat", ""), "line 9: '' is no name for a domain"),
    ],
)
def test_what_does_not_fit_is_reported_with_its_place(changed, message):
    with pytest.raises(InputError, match=f"table.csv.*{message}"):
        gather("table.csv", [*ROWS, changed])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "two domains are needed, and there is none"),
        ([row for row in ROWS if row.domain == "oil"], "two domains are needed; 'oil' is the only"),
        ([row for row in ROWS if row.label in ("dog", None)], "two classes are needed; 'dog' is"),
    ],
)
def test_too_little_to_generalize_from_is_reported(rows, message):
    with pytest.raises(InputError, match=f"t: at least {message}"):
        gather("t", rows)


def test_picked_images_are_those_of_their_rows():
    everything = [np.full((2, 3, 3), i, np.uint8) for i in range(5)]
    picked = pickle.loads(pickle.dumps(Picked(everything, np.array([4, 0, 4]))))
    assert isinstance(picked, Images) and len(picked) == 3
    assert [int(image[0, 0, 0]) for image in picked] == [4, 0, 4]
    with pytest.raises(IndexError):
        picked[3]


def test_places_follow_one_another_split_by_split():
    parts = (("a", 2), ("none", 0), ("b", 3))
    expected = [(name, place) for name, count in parts for place in range(count)]
    assert [located(parts, index) for index in range(5)] == expected
    for index in (-3, -1, 5, 6):
        with pytest.raises(IndexError):
            located(parts, index)
