"""Which runs a report's pictures show, and what is said of them."""

import numpy as np
import pytest
from imaginary import record
from report_runs import draw_only, finish

from jaxclr.measures import similarities, uniformity
from jaxclr.report import measured, pictures, write_report
from jaxclr.report.material import gather


def picture(folders, name):
    chapters = pictures.chapters(gather(folders))
    return next(p for chapter in chapters for p in chapter.pictures if p.name == name)


def test_runs_without_a_sample_of_features_show_their_mistakes_all_the_same(tmp_path):
    folders = [finish(tmp_path, name, sample=False) for name in ("base", "mine")]
    assert picture(folders, "embedding").draw() is None
    assert picture(folders, "mistakes_2").draw() is not None
    assert "that mine was surest of" in picture(folders, "mistakes_2").caption


def test_the_map_is_of_the_runs_with_features_and_the_mistakes_of_the_first_runs(tmp_path):
    finish(tmp_path, seed=1, sample=False)
    folder = finish(tmp_path, seed=2)
    assert "target night, seed 2." in picture([folder], "embedding").caption
    assert "target night, seed 1." in picture([folder], "mistakes_1").caption


def test_mistakes_are_of_the_experiment_by_the_name_that_the_page_has(tmp_path):
    folders = [finish(tmp_path / place, "base") for place in ("here", "there")]
    for place, name in enumerate(("here", "there"), 1):
        drawn = picture(folders, f"mistakes_{place}").draw()
        assert drawn.get_suptitle() == f"Surest mistakes of base ({name}/base) on night"


def test_the_band_is_said_to_be_of_the_targets_lines(tmp_path):
    caption = picture([finish(tmp_path)], "accuracy_over_steps").caption
    assert "the band around a target's line is a standard deviation" in caption


@pytest.mark.parametrize("count, told", [(15, False), (16, True)])
def test_of_many_classes_it_is_said_that_the_hardest_are_drawn(tmp_path, count, told):
    folder = finish(tmp_path, classes=[f"c{i}" for i in range(count)])
    caption = picture([folder], "pseudo_labels_by_class").caption
    assert (f"Only the 12 hardest of {count} classes" in caption) == told
    assert ("quartiles" in caption) == told


def test_features_of_a_run_are_measured_once_for_the_whole_report(tmp_path, monkeypatch):
    folders = [finish(tmp_path, name) for name in ("base", "mine")]
    calls = []

    def counted(*arrays):
        calls.append(arrays)
        return similarities(*arrays)

    draw_only(monkeypatch, "geometry")
    monkeypatch.setattr(measured, "similarities", counted)
    page = write_report(folders).read_text()
    assert len(calls) == 2 and 'id="geometry"' in page


def test_what_features_tell_is_added_to_the_results_once():
    run = record()
    features, domain, label = run.features
    found = measured.measured(run)
    assert found["cosine_across"] == similarities(features, label, domain).across
    assert found["uniformity"] == uniformity(features)
    assert found.keys() - run.results.keys() == {
        "cosine_within", "cosine_across", "cosine_between", "uniformity"
    }  # fmt: skip
    spoiled = run._replace(results=found, features=run.features._replace(label=np.zeros(60, int)))
    assert measured.measured(spoiled) is found
    assert measured.measured(run._replace(features=None)) is run.results
