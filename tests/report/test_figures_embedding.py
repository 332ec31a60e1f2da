"""Maps put alike features beside each other and show each image once."""

import numpy as np
import pytest
from imaginary import record
from sklearn.neighbors import NearestNeighbors

from jaxclr.records import Features
from jaxclr.report.figures import embedding


def clouds(classes=4, of_each=15, dimensions=6):
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(classes), of_each)
    centres = 20 * rng.normal(size=(classes, dimensions))
    noise = rng.normal(size=(len(label), dimensions))
    return (centres[label] + noise).astype(np.float32), label


def panel(figure, title):
    (found,) = [axes for axes in figure.axes if axes.get_title() == title]
    return found


def groups(axes):
    """The numbers of images of each group, the target's apart."""
    return [len(line.get_xdata()) for line in axes.get_lines()]


def test_neighbours_on_the_map_are_of_one_class_where_classes_are_apart():
    features, label = clouds()
    places = embedding.place(features)
    _, nearest = NearestNeighbors(n_neighbors=6).fit(places).kneighbors(places)
    assert (label[nearest] == label[:, None]).mean() > 0.97


def test_features_are_laid_out_the_same_way_each_time():
    features, _ = clouds()
    np.testing.assert_array_equal(embedding.place(features), embedding.place(features))


@pytest.mark.parametrize("shape", [(4, 3), (5, 1), (6, 2)])
def test_few_images_and_features_that_are_all_one_have_places_too(shape):
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert embedding.place(features).shape == (shape[0], 2)
    assert not embedding.place(np.ones_like(features)).any()


def spread(monkeypatch):
    """Places at random, where it is not they that count."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(embedding, "place", lambda features: rng.normal(size=(len(features), 2)))


def test_each_image_is_drawn_once_and_those_of_the_target_are_outlined(monkeypatch):
    spread(monkeypatch)
    runs = {name: record(name, sample=40) for name in ("fixmatch", "fixclr")}
    figure = embedding.maps(runs)
    for name, run in runs.items():
        label, domain = run.features.label, run.features.domain
        for kind, value in (("class", label), ("domain", domain)):
            lines = panel(figure, f"{name}, by {kind}").get_lines()
            for place, group in enumerate(range(value.max() + 1)):
                others, target = lines[2 * place : 2 * place + 2]
                own = value == group
                assert len(others.get_xdata()) == (own & (domain < 3)).sum()
                assert len(target.get_xdata()) == (own & (domain == 3)).sum()
                assert target.get_markeredgecolor() == "black"
                assert others.get_marker() == target.get_marker()


def test_of_many_classes_the_ten_largest_are_told_apart_and_the_others_are_grey(monkeypatch):
    spread(monkeypatch)
    label = np.array([i for i in range(14) for _ in range(4 + i)] + [-1, -1], np.int32)
    domain = (np.arange(len(label)) % 4).astype(np.int32)
    some = Features(np.zeros((len(label), 2), np.float32), domain, label)
    run = record(classes=tuple(f"c{i}" for i in range(14)))._replace(features=some)
    axes = panel(embedding.maps({"a": run}), "a, by class")
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["all others", *(f"c{i}" for i in range(4, 14)), "target: print"]
    sizes = np.reshape(groups(axes), (-1, 2)).sum(1)
    np.testing.assert_array_equal(sizes, [4 + 5 + 6 + 7 + 2, *range(8, 18)])


def test_of_very_many_images_some_of_every_domain_are_drawn(monkeypatch):
    spread(monkeypatch)
    count = 3 * embedding.POINTS
    domain = np.repeat(np.arange(4), count // 4).astype(np.int32)
    some = Features(np.zeros((count, 2), np.float32), domain, np.zeros(count, np.int32))
    axes = panel(embedding.maps({"a": record()._replace(features=some)}), "a, by domain")
    assert sum(groups(axes)) == embedding.POINTS
    np.testing.assert_array_equal(np.reshape(groups(axes), (-1, 2)).sum(1), [250] * 4)
