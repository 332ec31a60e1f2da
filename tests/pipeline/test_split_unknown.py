import numpy as np
import pytest

from jaxclr.errors import InputError
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import draw_split
from jaxclr.pipeline.split_files import read_split, write_split

CLASSES = ("cat", "dog")


def domain(label: list[int]) -> Domain:
    """A domain without pixels; -1 is an image whose class nobody noted."""
    paths = tuple(f"ink/all/{i:02d}.jpg" for i in range(len(label)))
    images = [np.zeros((1, 1, 3), np.uint8)] * len(label)
    return Domain("ink", paths, np.array(label, np.int32), np.ones(len(label), bool), images)


INK = domain([-1, 0, 1, -1, 0, 1, -1, 0, 1, -1])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("labels_per_class", [1, 3])
def test_images_of_unknown_class_never_keep_a_label_and_are_all_unlabeled(seed, labels_per_class):
    split = draw_split([INK], CLASSES, labels_per_class=labels_per_class, seed=seed)
    (labeled,), (unlabeled,) = split
    assert sorted(INK.label[labeled]) == sorted([0, 1] * labels_per_class)
    assert {0, 3, 6, 9} <= set(unlabeled)
    assert sorted([*labeled, *unlabeled]) == list(range(10))


def test_they_change_nothing_in_what_is_drawn_of_the_others():
    known = domain([0, 1] * 5)
    mixed = known._replace(
        paths=(*known.paths, "ink/all/90.jpg", "ink/all/91.jpg"),
        label=np.append(known.label, [-1, -1]).astype(np.int32),
        train=np.ones(12, bool),
        images=[*known.images] * 2,
    )
    for seed in range(5):
        one, other = (
            draw_split([source], CLASSES, labels_per_class=2, seed=seed).labeled[0]
            for source in (known, mixed)
        )
        np.testing.assert_array_equal(one, other)


def test_a_file_gives_back_a_split_that_holds_them(tmp_path):
    split = draw_split([INK], CLASSES, labels_per_class=2, seed=1)
    write_split(tmp_path / "a.json", split, [INK])
    again = read_split(tmp_path / "a.json", [INK])
    np.testing.assert_array_equal(again.labeled[0], split.labeled[0])
    np.testing.assert_array_equal(again.unlabeled[0], split.unlabeled[0])


def test_a_class_of_which_only_they_could_be_is_reported_as_missing():
    with pytest.raises(InputError, match="'ink' has no training image of class 'dog'"):
        draw_split([domain([0, -1, 0, -1])], CLASSES, labels_per_class=1, seed=0)
