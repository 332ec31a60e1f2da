import numpy as np
import pytest

from jaxclr.errors import InputError
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import Split, draw_split, left_out

CLASSES = ("cat", "dog")


def domain(name: str, per_class: int = 12, suffix: str = "jpg", reverse: bool = False) -> Domain:
    """A domain without pixels, every fourth image of which is not for training."""
    paths = [f"{name}/{kind}/{i:02d}.{suffix}" for kind in CLASSES for i in range(per_class)]
    paths = paths[::-1] if reverse else paths
    label = np.array([CLASSES.index(path.split("/")[1]) for path in paths], np.int32)
    train = np.array([int(path.split("/")[2][:2]) % 4 != 3 for path in paths], bool)
    return Domain(name, tuple(paths), label, train, [np.zeros((1, 1, 3), np.uint8)] * len(paths))


def named(split: Split, sources: list[Domain]) -> list[tuple[set[str], set[str]]]:
    return [
        ({d.paths[i] for i in labeled}, {d.paths[i] for i in unlabeled})
        for d, labeled, unlabeled in zip(sources, split.labeled, split.unlabeled, strict=True)
    ]


def same(one: Split, other: Split) -> bool:
    return all(
        np.array_equal(a, b)
        for field, fields in zip(one, other, strict=True)
        for a, b in zip(field, fields, strict=True)
    )


SOURCES = [domain("ink"), domain("oil"), domain("photo")]


@pytest.mark.parametrize("labels_per_class", [1, 4, 9])
def test_every_class_of_every_domain_keeps_that_many_labels(labels_per_class):
    split = draw_split(SOURCES, CLASSES, labels_per_class=labels_per_class, seed=0)
    for source, labeled in zip(SOURCES, split.labeled, strict=True):
        assert [(source.label[labeled] == k).sum() for k in (0, 1)] == [labels_per_class] * 2


def test_labeled_and_unlabeled_share_nothing_and_are_all_training_images():
    split = draw_split(SOURCES, CLASSES, labels_per_class=3, seed=0)
    for source, labeled, unlabeled in zip(SOURCES, *split, strict=True):
        assert not set(labeled) & set(unlabeled)
        assert set(labeled) | set(unlabeled) == set(np.flatnonzero(source.train))


def test_a_domain_keeps_its_labels_whatever_the_other_sources_are():
    whole = named(draw_split(SOURCES, CLASSES, labels_per_class=3, seed=5), SOURCES)
    for chosen in ([2], [1, 0], [2, 0, 1]):
        sources = [SOURCES[i] for i in chosen]
        part = named(draw_split(sources, CLASSES, labels_per_class=3, seed=5), sources)
        assert part == [whole[i] for i in chosen]


def test_the_order_of_the_listing_is_irrelevant():
    turned = [domain("ink", reverse=True)]
    one = named(draw_split([SOURCES[0]], CLASSES, labels_per_class=3, seed=1), [SOURCES[0]])
    assert named(draw_split(turned, CLASSES, labels_per_class=3, seed=1), turned) == one


def test_extensions_are_irrelevant():
    other = [domain("ink", suffix="png")]
    one = draw_split([SOURCES[0]], CLASSES, labels_per_class=3, seed=1)
    assert same(draw_split(other, CLASSES, labels_per_class=3, seed=1), one)


def test_extensions_are_irrelevant_where_names_hold_dots():
    def dotted(suffix: str) -> list[Domain]:
        names = sorted(f"ink/cat/{stem}.{suffix}" for stem in ("a", "a.K", "b", "b.K"))
        images = [np.zeros((1, 1, 3), np.uint8)] * 4
        return [Domain("ink", tuple(names), np.zeros(4, np.int32), np.ones(4, bool), images)]

    for seed in range(9):
        one, other = (
            named(draw_split(ink, ["cat"], labels_per_class=2, seed=seed), ink)[0][0]
            for ink in (dotted("jpg"), dotted("JPEG"))
        )
        assert {path.removesuffix(".jpg") for path in one} == {
            path.removesuffix(".JPEG") for path in other
        }


def test_fewer_labels_are_among_the_more():
    few = draw_split(SOURCES, CLASSES, labels_per_class=2, seed=1)
    more = draw_split(SOURCES, CLASSES, labels_per_class=5, seed=1)
    for one, other in zip(few.labeled, more.labeled, strict=True):
        assert set(one) < set(other)


def test_seeds_domains_and_classes_are_drawn_differently():
    drawn = set()
    for seed in range(5):
        split = draw_split(SOURCES, CLASSES, labels_per_class=4, seed=seed)
        for labeled in split.labeled:
            # The numbers of the files drawn, per class: 126 possible choices for each of 30.
            drawn |= {tuple(labeled[:4]), tuple(labeled[4:] - 12)}
    assert len(drawn) > 20


def test_every_training_image_is_drawn_equally_often():
    counts = np.zeros(24)
    for seed in range(900):
        counts[draw_split(SOURCES[:1], CLASSES, labels_per_class=3, seed=seed).labeled[0]] += 1
    expected = 300 * SOURCES[0].train
    # Five standard deviations of a binomial count over 900 draws at 1/3.
    np.testing.assert_allclose(counts, expected, atol=5 * np.sqrt(900 * 2 / 9))
    assert not counts[~SOURCES[0].train].any()


def test_a_class_that_a_domain_lacks_is_reported():
    with pytest.raises(InputError, match="'ink' has no training image of class 'emu'"):
        draw_split(SOURCES, (*CLASSES, "emu"), labels_per_class=1, seed=0)


def test_more_labels_than_images_are_reported_with_their_number():
    with pytest.raises(InputError, match="'ink' has 9 training images of class 'cat', but 10"):
        draw_split(SOURCES, CLASSES, labels_per_class=10, seed=0)


@pytest.mark.parametrize("bad", [{"labels_per_class": 0}, {"seed": -1}])
def test_numbers_out_of_range_are_reported(bad):
    with pytest.raises(InputError, match=str(*bad.values())):
        draw_split(SOURCES, CLASSES, **({"labels_per_class": 1, "seed": 0} | bad))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_images_held_back_are_neither_labeled_nor_unlabeled_and_move_no_label(share):
    whole = draw_split(SOURCES, CLASSES, labels_per_class=2, seed=3)
    split = draw_split(SOURCES, CLASSES, labels_per_class=2, seed=3, held_back=share)
    assert same(Split(whole.labeled, ()), Split(split.labeled, ()))
    parts = zip(SOURCES, *split, left_out(split, SOURCES), strict=True)
    for domain, labeled, unlabeled, aside in parts:
        # Nine images of a class may be trained on, two of which keep their label.
        counts = np.bincount(domain.label[unlabeled], minlength=2)
        np.testing.assert_array_equal(counts, 9 - 2 - min(int(9 * share), 7))
        assert domain.train[unlabeled].all()
        assert set(aside) == set(range(24)) - set(unlabeled) - set(labeled)


def test_what_the_data_set_keeps_from_training_is_left_out_and_what_has_no_label_is_not():
    blind = SOURCES[0]._replace(label=np.where(np.arange(24) == 3, -1, SOURCES[0].label))
    split = draw_split([blind], CLASSES, labels_per_class=2, seed=3)
    (aside,) = left_out(split, [blind])
    assert aside.tolist() == [i for i in range(24) if not blind.train[i] and i != 3]


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_to_hold_back_is_below_one(share):
    with pytest.raises(InputError, match=str(share)):
        draw_split(SOURCES, CLASSES, labels_per_class=2, seed=3, held_back=share)
