"""Every picture, small and large: its words can be read, and nothing lies on anything else."""

import functools

import matplotlib
import pytest
from boxes import boxes, covering, cut, overlapping
from imaginary import record

from jaxclr.records import Record
from jaxclr.report.figures import (
    confusion,
    curves,
    embedding,
    geometry,
    mistakes,
    pseudo_labels,
    pseudo_labels_by_class,
    reliability,
)
from jaxclr.report.figures.panels import written


def first(runs):
    return {name: some[0] for name, some in runs.items()}


PICTURES = {
    "accuracy": curves.accuracy,
    "losses": curves.losses,
    "pseudo-labels": pseudo_labels.overall,
    "pseudo-labels of domains": pseudo_labels.by_domain,
    "pseudo-labels of classes": pseudo_labels_by_class.by_class,
    "confusion": confusion.matrices,
    "reliability": reliability.diagrams,
    "geometry": geometry.measures,
    "maps": lambda runs: embedding.maps(first(runs)),
    "mistakes": lambda runs: mistakes.grid(next(iter(first(runs).values()))),
}
every_picture = pytest.mark.parametrize("name", PICTURES)

LONG = "domainnet_fixmatch_with_a_very_long_name_that_never_ends_because_people_are_like_that"
ODD = (LONG, "_private$", "cost in $ and $", "方法")
ODD_DOMAINS = ("a_domain_with_quite_a_long_name_of_it", "$x$", "_under", "水墨画", "sketch", "real")
ODD_CLASSES = (*(f"class number {i:03d} with a long name" for i in range(343)), "$狗$", "_猫")


def small():
    """One short run of one experiment: three domains, two classes."""
    few = {"classes": ("yes", "no"), "domains": ("a", "b", "c"), "tests": 1}
    return {"erm": [record("erm", "b", images=5, sample=6, mistakes=1, **few)]}


def middling():
    """Five seeds of two experiments on two targets, fifteen classes."""
    classes = tuple(f"quite_long_{letter}" for letter in "abcdefghijklmno")
    some = {"classes": classes, "images": 60, "tests": 3, "sample": 40}
    return {
        name: [record(name, on, seed, **some) for on in ("print", "scan") for seed in range(1, 6)]
        for name in ("fixmatch", "fixclr")
    }


def large():
    """Four experiments of odd names: six domains, 345 classes, many tests."""
    some = {"classes": ODD_CLASSES, "domains": ODD_DOMAINS, "images": 300, "tests": 2}
    return {
        name: [record(name, on, sample=40, mistakes=8, **some) for on in ODD_DOMAINS[:3]]
        for name in ODD
    }


SIZES = {"small": small, "middling": middling, "large": large}


@functools.cache
def drawn(size, name):
    """Drawing is what costs time."""
    return PICTURES[name](SIZES[size]())


@every_picture
@pytest.mark.parametrize("size", SIZES)
def test_no_word_lies_on_another_or_is_cut_and_no_legend_covers_a_point(size, name):
    figure = drawn(size, name)
    words = boxes(figure)
    assert len(words) > 2
    assert overlapping(words) == []
    assert cut(words, figure) == []
    assert covering(figure) == []


@every_picture
def test_there_is_a_title_and_every_panel_says_what_it_shows_in_which_unit(name):
    """Maps have no units, and colors' scales no titles."""
    figure = drawn("middling", name)
    assert figure.get_suptitle()
    for axes in figure.axes:
        scale = axes.get_label() == "<colorbar>"
        under = not axes.get_title() and axes.get_xlabel()
        assert axes.get_title() or scale or under
        assert name == "maps" or axes.get_xlabel() or axes.get_ylabel()


@pytest.mark.parametrize("name", ["losses", "maps"])
def test_a_picture_is_the_same_file_each_time_and_leaves_the_users_settings_alone(name):
    before = dict(matplotlib.rcParams)
    runs = small()
    files = [written(PICTURES[name](runs)) for _ in range(2)]
    assert files[0] == files[1]
    assert files[0].startswith(b"\x89PNG")
    assert dict(matplotlib.rcParams) == before


def test_lines_for_papers_can_be_had_too():
    (run,) = small()["erm"]
    figure = mistakes.grid(run)
    assert written(figure, "pdf").startswith(b"%PDF")
    assert b"<svg" in written(figure, "svg")


def without(run, lines):
    """The run as an older version would have left it."""
    results = {**run.results, "domain_probe_accuracy": None}
    return Record(run.folder, results, lines, "", None, None, None)


@every_picture
def test_of_runs_that_left_nothing_of_the_kind_there_is_no_picture(name):
    (run,) = small()["erm"]
    assert PICTURES[name]({"erm": [without(run, [{"step": 0}])]}) is None


@every_picture
def test_an_experiment_that_lacks_something_does_not_keep_others_from_being_shown(name):
    (run,) = small()["erm"]
    older = without(run, [{"step": 9, "loss": 1.0, "accuracy": 5.0, "pseudo_label_accuracy": None}])
    assert PICTURES[name]({"erm": [run], "older": [older]}) is not None
