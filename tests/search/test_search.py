"""The command line of a search; what is under it has its own tests."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import toy
from imagined import Imagined, put_in_place

from jaxclr.grid import make_grid
from jaxclr.search.command import HELD_BACK, main, make_plans
from jaxclr.search.distributions import LogUniform
from jaxclr.search.spaces import default_space, draw, leaves

TOY = str(Path(toy.__file__))
PLAIN = """
import sys

sys.path.insert(0, {tests!r})
from jaxclr.methods.fixmatch import fixmatch
from toy import toy_experiment


def experiment():
    return toy_experiment(name="plain", method=fixmatch())
"""
TARGETS = ("day", "dusk", "night")


@pytest.fixture
def plain(tmp_path) -> str:
    """A second experiment, without repulsion."""
    file = tmp_path / "plain.py"
    file.write_text(PLAIN.format(tests=str(Path(TOY).parent)))
    return str(file)


class Scored(Imagined):
    """Makes runs at once, with the figures of this table, by draw and target.

    Held-back images would choose draw 1 for all targets, labeled ones draws 2 and 3, which are
    equal, and the target itself another for each.
    """

    accuracy = ((50, 50, 50), (60, 40, 55), (40, 70, 30), (30, 30, 90))
    held_back = (70, 80, 60, 50)
    labeled = (90, 95, 100, 100)

    def scores(self, name, target):
        number = int(name[-2:])
        held_back = None if self.held_back is None else float(self.held_back[number])
        return {
            "accuracy": float(self.accuracy[number][TARGETS.index(target)]),
            "source_accuracy": float(self.labeled[number]),
            "held_back_accuracy": held_back,
        }


@pytest.fixture
def imagined(monkeypatch):
    """Puts imagined runs in place of real ones."""
    return put_in_place(monkeypatch, Scored)


def run(workdir, *arguments, draws=4) -> int:
    return main(["--experiments", *arguments, "--workdir", str(workdir), "--draws", str(draws)])


def section(workdir, name) -> list[str]:
    """The lines of one table of the page."""
    parts = (workdir / "search/table.md").read_text().split("\n## ")
    (found,) = [part for part in parts if part.startswith(name)]
    return [line for line in found.splitlines()[1:] if line]


def chosen(workdir, rule) -> list[dict]:
    records = json.loads((workdir / "search/choices.json").read_text())
    return [one for one in records if one["rule"] == rule]


def test_each_draw_has_a_folder_of_its_own_and_its_runs_have_the_settings_drawn(tmp_path, plain):
    plans = make_plans([TOY, plain], ["--targets", "day", "--steps", "1"], tmp_path, None, 3)
    for plan, name in zip(plans, ("toy", "plain"), strict=True):
        space = default_space(plan.experiment)
        for number, series in enumerate(plan.series):
            (job,) = series.jobs
            assert job.folder == tmp_path / f"{name}-draw0{number}" / "day" / "seed1"
            found = leaves(series.experiment)
            expected = leaves(plan.experiment) | draw(space, number)
            expected |= {"name": f"{name}-draw0{number}", "held_back": HELD_BACK}
            assert found == expected
            # The process of the run comes to the same.
            fields = job.command[job.command.index("--no-report") + 1 :]
            (again,) = make_grid([plan.name], fields, tmp_path).series
            assert leaves(again.experiment) == found | {"seeds": (1,)}
        assert plan.series[0].experiment.optimizer == plan.experiment.optimizer
        assert len({series.experiment.optimizer for series in plan.series}) == 3
    rates = [[one.experiment.optimizer.learning_rate for one in plan.series] for plan in plans]
    assert rates[0] == rates[1]


def test_the_page_has_a_table_for_each_way_to_choose(tmp_path, imagined, capsys):
    """Of the other targets' means, draw 3 has the best on day and dusk, draw 1 or 2 on night."""
    assert run(tmp_path, TOY, "--seeds", "1", "2") == 0
    rows = {
        "default": "50.0 ± 0.0 | 50.0 ± 0.0 | 50.0 ± 0.0 | 50.0 ± 0.0",
        "source": "60.0 ± 0.0 | 40.0 ± 0.0 | 55.0 ± 0.0 | 51.7 ± 0.0",
        "labeled": "40.0 ± 0.0 | 70.0 ± 0.0 | 30.0 ± 0.0 | 46.7 ± 0.0",
        "leave_one_out": "30.0 ± 0.0 | 30.0 ± 0.0 | 30.0 ± 0.0 | 30.0 ± 0.0",
        "oracle": "60.0 ± 0.0 | 70.0 ± 0.0 | 90.0 ± 0.0 | 73.3 ± 0.0",
    }
    out = capsys.readouterr().out
    for rule, row in rows.items():
        assert section(tmp_path, rule) == [
            "| experiment | day | dusk | night | mean | runs |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            f"| toy | {row} | 6 |",
        ]
        assert row.replace(" | ", "  ") in out
    page = (tmp_path / "search/table.md").read_text()
    assert "24 of 24 runs are finished" in page
    assert "## oracle: NOT ALLOWED, an upper bound: chosen by accuracy on the target itself" in page
    tables = json.loads((tmp_path / "search/table.json").read_text())["rules"]
    assert [rule for rule, one in tables.items() if not one["allowed"]] == ["oracle"]
    assert tables["source"]["rows"][0]["targets"]["dusk"]["seeds"] == {"1": 40.0, "2": 40.0}
    assert "NOT ALLOWED    toy " in out
    assert "24 runs, 0 of them finished already" in out
    assert "    optimizer.learning_rate            = {log_uniform = [0.005, 0.15]}" in out


def test_what_was_chosen_is_told_with_its_settings_and_a_command_that_makes_it_anew(
    tmp_path, imagined
):
    assert run(tmp_path, TOY, "--steps", "1") == 0
    assert [one["draw"] for one in chosen(tmp_path, "labeled")] == [2, 2, 2]
    assert [one["tied"] for one in chosen(tmp_path, "labeled")] == [2, 2, 2]
    day, dusk, _ = chosen(tmp_path, "oracle")
    assert (day["draw"], day["score"], dusk["draw"], dusk["score"]) == (1, 60.0, 2, 70.0)
    words = shlex.split(dusk["command"])
    assert words[:5] == ["python", "-m", "jaxclr.main", "--experiment", TOY]
    assert words[5:7] == ["--workdir", str(tmp_path)]
    (again,) = make_grid([TOY], words[7:], tmp_path).series
    assert [job.title for job in again.jobs] == ["toy-draw02 dusk seed 1"]
    found = leaves(again.experiment)
    assert {path: found[path] for path in dusk["settings"]} == dusk["settings"]
    assert (found["steps"], found["held_back"]) == (1, HELD_BACK)
    _, _, *lines = section(tmp_path, "Draws that held-back images chose")
    assert lines[0].startswith("| toy | day | 1 | 1 of 4 | 80.0 | method.terms.consistency.weight ")


def test_more_draws_go_on_with_those_that_are_there(tmp_path, imagined, capsys):
    assert run(tmp_path, TOY, draws=2) == 0
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("search/**/results.json")}
    capsys.readouterr()
    assert run(tmp_path, TOY, draws=4) == 0
    assert "12 runs, 6 of them finished already; the others have 36 steps." in (
        capsys.readouterr().out
    )
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert run(tmp_path, TOY, draws=2) == 0
    assert "6 of 6 runs are finished" in (tmp_path / "search/table.md").read_text()
    assert {one["draw"] for one in chosen(tmp_path, "oracle")} == {0, 1}


def test_draws_are_made_one_after_the_other_so_that_all_experiments_have_as_many(
    tmp_path, plain, imagined, capsys
):
    assert run(tmp_path, TOY, plain, "--targets", "day", draws=2) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[2] for line in lines if "imagined" in line] == [
        "toy-draw00", "plain-draw00", "toy-draw01", "plain-draw01",
    ]  # fmt: skip
    assert len(section(tmp_path, "source")) == 4


def test_a_run_that_fails_takes_its_draw_out_of_the_choice(tmp_path, imagined, capsys):
    imagined.make, make = lambda self, job: fails(self, job), imagined.make

    def fails(self, job):
        return "exit code 1" if job.title == "toy-draw01 dusk seed 1" else make(self, job)

    assert run(tmp_path, TOY) == 1
    assert [one["draw"] for one in chosen(tmp_path, "source")] == [1, 0, 1]
    # Neither has it all other targets of day and night.
    assert [one["compared"] for one in chosen(tmp_path, "leave_one_out")] == [3, 3, 3]
    assert "1 of 12 runs failed and could not be chosen." in capsys.readouterr().err
    assert "11 of 12 runs are finished" in (tmp_path / "search/table.md").read_text()


def test_what_there_is_nothing_to_choose_by_is_said(tmp_path, imagined):
    imagined.held_back = None
    assert run(tmp_path, TOY, "--targets", "day", "--held-back", "0") == 0
    assert section(tmp_path, "source") == [
        "No run has images of the sources that are held back; give --held-back .2."
    ]
    (line,) = section(tmp_path, "leave_one_out")
    assert line.startswith("No draw has all of two or more targets")
    assert chosen(tmp_path, "source") == []


def test_what_the_command_line_gives_is_not_drawn_by_default(tmp_path):
    fields = ["--optimizer.learning-rate=0.07", "--held-back", "0.4", "--method.labeler.threshold"]
    (plan,) = make_plans([TOY], [*fields, "0.5"], tmp_path, None, 2)
    for series in plan.series:
        e = series.experiment
        assert (e.optimizer.learning_rate, e.held_back, e.method.labeler.threshold) == (
            0.07, 0.4, 0.5,
        )  # fmt: skip
    assert "optimizer.weight_decay" in plan.space


def test_the_images_of_a_data_set_are_loaded_once(tmp_path, plain, monkeypatch):
    loads = []
    load = toy.Toy.load
    monkeypatch.setattr(toy.Toy, "load", lambda self: loads.append(self) or load(self))
    make_plans([plain], ["--targets", "day"], tmp_path, None, 3)
    assert len(loads) == 1


def test_a_field_that_only_some_experiments_have_is_drawn_in_those(tmp_path, plain):
    space = {
        "method.terms.repulsion.weight": LogUniform(0.1, 1.0),
        "optimizer.learning_rate": LogUniform(0.01, 0.1),
    }
    toy, other = make_plans([TOY, plain], [], tmp_path, space, 2)
    assert [*toy.space] == [*space]
    assert [*other.space] == ["optimizer.learning_rate"]


@pytest.mark.parametrize(
    "space, arguments, reason",
    [
        (None, ["--draws", "0"], "--draws is 0; it must be at least 1."),
        (None, ["--jobs", "0"], "--jobs is 0"),
        (None, ["--stepz", "3"], "do not suit"),
        (None, ["--name", "same"], "are both named 'same'"),
        ("held_bak.uniform = [0, 0.5]", [], "no experiment has a field 'held_bak'"),
        ("method.terms.repulsion.weight.uniform = [0, 1]", [], "it has no field of the space"),
        ("held_back.uniform = [0, 0.5]", ["--held-back", ".1"], "space draws held_back, and the"),
        ("batch_per_domain.uniform = [1, 3]", [], "do not suit"),
        ("ema_decay.choice = [7]", [], "--ema-decay is 7.0; it must be in [0, 1)."),
        ("batch_per_domain.choice = [16]", [], "has 9 labeled images, but a batch takes 16"),
    ],
)
def test_bad_input_is_told_before_anything_is_started(
    tmp_path, plain, imagined, capsys, space, arguments, reason
):
    if space is not None:
        file = tmp_path / "space.toml"
        file.write_text(space)
        arguments = [*arguments, "--space", str(file)]
    assert main(["--experiments", TOY, plain, "--workdir", str(tmp_path / "runs"), *arguments]) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


def test_help_brings_in_no_jax():
    script = "import sys, jaxclr.search; print({'jax', 'flax', 'tyro'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_real_runs_say_what_they_are_chosen_by(tmp_path, capsys):
    """The real thing: two runs, each in a process of its own."""
    assert run(tmp_path, TOY, "--targets", "day", "--steps", "1", draws=2) == 0
    results = [
        json.loads((tmp_path / f"search/toy-draw0{i}/day/seed1/results.json").read_text())
        for i in range(2)
    ]
    scores = [one["held_back_accuracy"] for one in results]
    (found,) = chosen(tmp_path, "source")
    assert found["draw"] == scores.index(max(scores))
    assert found["accuracy"] == results[found["draw"]]["accuracy"]
    assert f"{found['draw']} of 2" in capsys.readouterr().out
