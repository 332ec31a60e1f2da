import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from report_runs import finish

from jaxclr.report.material import gather
from jaxclr.report.summary import (
    accuracy_table,
    difference_table,
    measures_table,
    runs_table,
)
from jaxclr.report.table import Table, as_csv, as_latex, as_markdown

ACCURACY = {
    "base": {("day", 1): 60.0, ("day", 2): 70.0, ("night", 1): 20.0, ("night", 2): 50.0},
    "mine": {("day", 1): 63.0, ("day", 2): 75.0, ("night", 1): 21.0, ("night", 2): 50.0},
}
ODD = Table(("name", "a_b"), (("50% & <x> |_y_|", "-1.5 ± 0.1"), ("c-1", "-")))


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs")
    for name, runs in ACCURACY.items():
        for (target, seed), accuracy in runs.items():
            finish(workdir, name, target, seed, accuracy)
    return gather([workdir / name for name in ACCURACY])


def test_accuracies_are_means_and_population_deviations_over_seeds(material):
    table = accuracy_table(material)
    assert table.header == ("experiment", "day", "night", "mean", "runs")
    for name, *cells, runs in table.rows:
        seeds = np.array([[ACCURACY[name][t, s] for s in (1, 2)] for t in ("day", "night")])
        figures = [
            *zip(seeds.mean(1), seeds.std(1), strict=True),
            (seeds.mean(), seeds.mean(0).std()),
        ]
        assert cells == [f"{mean:.1f} ± {std:.1f}" for mean, std in figures]
        assert runs == "4"


def test_a_mean_over_fewer_targets_than_others_have_is_not_told(material, tmp_path):
    folders = [group.folder for group in material.groups]
    table = accuracy_table(gather([*folders, finish(tmp_path, "less", "day")]))
    assert table.rows[-1] == ("less", "60.0", "-", "-", "1")


def test_the_difference_to_the_baseline_has_its_interval_and_its_pairs(material):
    ((name, mean, interval, pairs),) = difference_table(material).rows
    # 3, 5, 1, 0: mean 2.25, deviation 2.217; t of 3 degrees is 3.182.
    assert (name, mean, pairs) == ("mine", "+2.2", "4")
    assert interval == "-1.3 to +5.8"


def test_there_is_no_difference_without_a_baseline(material):
    assert difference_table(gather([material.groups[0].folder])).rows == ()


def test_every_measure_has_a_row_unless_no_run_has_it(material):
    table = measures_table(material)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["negative log-likelihood, nats"] == ("0.875 ± 0.000",) * 2
    assert rows["macro F1, %"] == ("63.0 ± 0.0",) * 2
    assert "accuracy on held-back images, %" not in rows
    assert {"uniformity", "cosine, other class"} <= rows.keys()
    assert rows["device"] == ("1 x cpu", "1 x cpu")


def test_a_measure_that_a_target_lacks_has_no_mean_and_keeps_its_row(tmp_path):
    finish(tmp_path, target="day", accuracy=50.0)
    folders = [finish(tmp_path, target="night", old=True), finish(tmp_path, "less", "day")]
    rows = {row[0]: row[1:] for row in measures_table(gather(folders)).rows}
    assert rows["accuracy on the target, %"] == ("55.0", "-")
    assert rows["negative log-likelihood, nats"] == ("-", "-")


def test_runs_without_a_device_name_none(tmp_path):
    finish(tmp_path, seed=1, device=None)
    folders = [finish(tmp_path, seed=2), finish(tmp_path, "mine", device=None)]
    assert measures_table(gather(folders)).rows[-1] == ("device", "1 x cpu", "-")
    names = [row[0] for row in measures_table(gather(folders[1:])).rows]
    assert "device" not in names and len(names) > 5


def test_a_run_is_called_by_its_folders_from_wherever_it_is_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(finish(tmp_path) / "night/seed1")
    assert runs_table(gather([Path(".")])).rows[0][-1] == "base/night/seed1"


def test_every_run_is_a_line_with_its_figures_at_full_precision(material):
    lines = list(csv.DictReader(io.StringIO(as_csv(runs_table(material)))))
    found = {(n["experiment"], n["target"], int(n["seed"])): n for n in lines}
    for name, runs in ACCURACY.items():
        for (target, seed), accuracy in runs.items():
            assert float(found[name, target, seed]["accuracy"]) == accuracy
    assert lines[0]["accuracy of cross"] == "60.0" and lines[0]["held_back_accuracy"] == ""
    assert lines[0]["folder"] == "base/day/seed1"


def test_latex_escapes_names_and_needs_booktabs_alone():
    text = as_latex(ODD)
    assert re.findall(r"usepackage{(.*?)}", text) == ["booktabs"]
    body = text.split("\\toprule")[1]
    assert (
        r"50\% \& \textless{}x\textgreater{} \textbar{}\_y\_\textbar{} & $-$1.5 $\pm$ 0.1 \\"
        in body
    )
    assert r"name & a\_b \\" in body and r"c-1 & -- \\" in body


def test_markdown_keeps_names_as_they_are():
    lines = as_markdown(ODD).splitlines()
    assert lines[:2] == ["| name | a_b |", "| --- | ---: |"]
    assert lines[2] == r"| 50% &amp; &lt;x> \|\_y\_\| | -1.5 ± 0.1 |"


def test_csv_reads_back():
    assert list(csv.reader(io.StringIO(as_csv(ODD)))) == [list(ODD.header), *map(list, ODD.rows)]
