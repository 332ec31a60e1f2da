"""The command line of many runs; what is under it has its own tests."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from imagined import Imagined, Made, put_in_place
from rich.console import Console
from rich.table import Table

from jaxclr.grid import make_grid, print_tables
from jaxclr.main import main as main_alone
from jaxclr.sweep import main

TOY = str(Path(__file__).with_name("toy.py"))
OTHER = """
import dataclasses
import sys

sys.path.insert(0, {tests!r})
from toy import toy_experiment


def experiment():
    return toy_experiment(name="other")
"""


@pytest.fixture
def other(tmp_path) -> str:
    """A second experiment."""
    file = tmp_path / "other.py"
    file.write_text(OTHER.format(tests=str(Path(TOY).parent)))
    return str(file)


@pytest.fixture
def imagined(monkeypatch):
    """Puts imagined runs in place of real ones."""
    return put_in_place(monkeypatch, Imagined)


def run(workdir, *arguments) -> int:
    return main(["--experiments", *arguments, "--workdir", str(workdir), "--no-report"])


def told(capsys) -> str:
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text


def test_the_grid_is_all_experiments_by_all_targets_by_all_seeds_in_this_order(tmp_path, other):
    grid = make_grid([TOY, other], ["--seeds", "2", "1", "--targets", "night", "day"], tmp_path)
    assert [job.title for job in grid.jobs] == [
        f"{name} {target} seed {seed}"
        for name in ("toy", "other")
        for target in ("night", "day")
        for seed in (2, 1)
    ]
    assert grid.size == 8


def test_a_job_is_the_call_of_main_that_makes_this_run_alone(tmp_path):
    fields = ["--seeds", "1", "2", "--steps", "1", "--targets", "day", "night"]
    job = make_grid([TOY], fields, tmp_path).jobs[3]
    assert job.folder == tmp_path / "toy/night/seed2"
    python, *options, module = job.command[:4]
    assert (python, options, module) == (sys.executable, ["-u", "-m"], "jaxclr.main")
    again = make_grid([TOY], job.command[9:], tmp_path)
    # One report is written of all, at the end.
    where = ("--experiment", TOY, "--workdir", str(tmp_path), "--no-report")
    assert job.command[4:9] == where
    assert [one.title for one in again.jobs] == ["toy night seed 2"]
    assert again.steps == 1


def test_finished_runs_are_counted_and_not_made_again(tmp_path, imagined, capsys):
    assert run(tmp_path, TOY, "--targets", "day") == 0
    written = (tmp_path / "toy/day/seed1/results.json").stat().st_mtime_ns
    capsys.readouterr()
    assert run(tmp_path, TOY) == 0
    out = capsys.readouterr().out
    assert "3 runs, 1 of them finished already; the others have 12 steps." in out
    assert [line.split()[3] for line in out.splitlines() if " imagined " in line] == [
        "dusk",
        "night",
    ]
    assert (tmp_path / "toy/day/seed1/results.json").stat().st_mtime_ns == written


def test_the_tables_are_those_of_each_experiment_and_one_of_all(tmp_path, other, imagined, capsys):
    assert run(tmp_path, TOY, other) == 0
    figures = "30.0 ± 0.0 | 40.0 ± 0.0 | 50.0 ± 0.0 | 40.0"
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[0] == "| experiment | day | dusk | night | mean | runs |"
    assert lines[2:] == [f"| {name} | {figures} ± 0.0 | 3 |" for name in ("toy", "other")]
    for name in ("toy", "other"):
        assert f"| {name} | {figures} | 1 |" in (tmp_path / name / "table.md").read_text()
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if "finished toy night seed 1: 50.0%, " in line]
    assert line.endswith("(3/6 finished, 1 running, 2 waiting)")
    assert "40.0 ± 0.0" in out


def test_a_table_is_folded_on_a_narrow_terminal_but_not_in_a_log():
    table = Table("one", "two", box=None)
    table.add_row("wide " * 6 + "word", "wider " * 6 + "end")
    told = {}
    for terminal in (False, True):
        console = Console(file=io.StringIO(), width=30, force_terminal=terminal)
        print_tables([table], console)
        told[terminal] = console.file.getvalue()
    assert "wide wide word  wider wider" in told[False]
    assert len(told[False].splitlines()) == 2 < len(told[True].splitlines())


def test_a_run_that_fails_for_good_is_told_with_its_log_and_the_rest_is_in_the_tables(
    tmp_path, imagined, capsys
):
    imagined.bad = ("dusk",)
    assert run(tmp_path, TOY) == 1
    out, err = capsys.readouterr()
    log = tmp_path / "toy/dusk/seed1/run.log"
    assert f"toy dusk seed 1 failed: exit code 1. The end of its log, {log}:" in out
    assert "    the last line" in out
    assert "1 of 3 runs failed" in err
    assert "| toy | 30.0 ± 0.0 | - | 50.0 ± 0.0 | - | 2 of 3 |" in (
        (tmp_path / "table.md").read_text()
    )
    imagined.bad = ()
    assert run(tmp_path, TOY) == 0


def test_an_interruption_has_its_own_exit_code(tmp_path, imagined, capsys):
    def submit(self, jobs):
        signal.raise_signal(signal.SIGTERM)
        return [Made("stopped before its end") for _ in jobs]

    imagined.submit = submit
    assert run(tmp_path, TOY) == 130
    out, err = capsys.readouterr()
    assert "3 of 3 runs are left: toy night seed 1, toy day seed 1, toy dusk seed 1." in out
    assert "The same command goes on." in err


def test_runs_on_one_machine_have_an_accelerator_each_or_as_many_as_said(tmp_path, imagined):
    assert run(tmp_path, TOY) == 0
    assert imagined.seen == ([{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}],)
    assert run(tmp_path / "more", TOY, "--gpus-per-run", "2") == 0
    assert imagined.seen == ([{"CUDA_VISIBLE_DEVICES": "0,1"}],)


def test_slurm_is_given_what_was_asked_for(tmp_path, imagined):
    asked = (
        "--slurm --partition gpu --time 90 --gpus-per-run 4 --jobs 3 --set account=lab "
        "--set mem=32G export=A=1"
    )
    assert run(tmp_path, TOY, *asked.split()) == 0
    assert imagined.seen == (tmp_path / ".slurm",)
    assert imagined.settings == {
        "minutes": 90, "partition": "gpu", "gpus": 4, "parallel": 3,
        "options": {"account": "lab", "mem": "32G", "export": "A=1"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["--jobs", "0"], "--jobs is 0; it must be at least 1."),
        (["--gpus-per-run", "0"], "--gpus-per-run is 0"),
        (["--partition", "gpu"], "give --slurm"),
        (["--slurm", "--set", "account"], "'account' is not of the form KEY=VALUE"),
        (["--targets", "nigth"], "Did you mean 'night'?"),
        (["--labels-per-class", "13"], "12 training images of class 'circle'"),
        (["--batch-per-domain", "16"], "has 9 labeled images, but a batch takes 16"),
        (["--stepz", "3"], "do not suit"),
        (["--name", "same"], "are both named 'same'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_told_before_anything_is_started(
    tmp_path, other, imagined, capsys, arguments, reason
):
    assert run(tmp_path / "runs", TOY, other, *arguments) == 2
    assert reason in told(capsys)
    assert not (tmp_path / "runs").exists()


def test_an_experiment_that_is_not_there_keeps_the_others_from_being_started(
    tmp_path, imagined, capsys
):
    assert run(tmp_path / "runs", TOY, "digits_fixclir") == 2
    assert "Did you mean 'digits_fixclr'" in told(capsys)
    assert not (tmp_path / "runs").exists()


def test_checking_runs_takes_no_accelerator(tmp_path):
    """Were JAX to look for one in this process, it would fail before it tells the steps."""
    done = subprocess.run(
        [sys.executable, "-m", "jaxclr.sweep", "--experiments", TOY, "--workdir", str(tmp_path)],
        env={**os.environ, "JAX_PLATFORMS": "nowhere"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "3 runs, 0 of them finished already; the others have 18 steps." in done.stdout
    assert "JAX finds no device" in done.stderr
    assert "nowhere" in done.stderr


def test_what_was_made_here_is_finished_for_main_too(tmp_path, capsys):
    """The real thing: one run in a process of its own."""
    assert run(tmp_path, TOY, "--targets", "day", "--steps", "1") == 0
    folder = tmp_path / "toy/day/seed1"
    accuracy = json.loads((folder / "results.json").read_text())["accuracy"]
    assert f"finished toy day seed 1: {accuracy:.1f}%" in capsys.readouterr().out
    assert "toy day seed 1 1/1" in (folder / "run.log").read_text()
    arguments = ("--targets", "day", "--steps", "1", "--no-report")
    assert main_alone([f"--experiment={TOY}", f"--workdir={tmp_path}", *arguments]) == 0
    assert "1 of 1 runs are finished already" in capsys.readouterr().out


def test_reports_are_written_of_each_data_set_and_a_failing_one_fails_nothing(
    tmp_path, imagined, monkeypatch, capsys
):
    asked = []

    def write_report(folders, output):
        asked.append(([folder.name for folder in folders], output.name))
        raise RuntimeError("no ink")

    monkeypatch.setattr("jaxclr.report.write_report", write_report)
    second = tmp_path / "second.py"
    second.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(TOY).parent)!r})\n"
        "import dataclasses\nfrom toy import Toy, toy_experiment\n"
        "@dataclasses.dataclass(frozen=True)\nclass Elsewhere(Toy):\n    pass\n"
        "def experiment():\n    return toy_experiment(name='second', dataset=Elsewhere())\n"
    )
    imagined.bad = ("night",)
    arguments = ("--experiments", TOY, str(second), "--workdir", str(tmp_path))
    assert main(arguments) == 1
    assert asked == [(["toy"], "report-toy"), (["second"], "report-elsewhere")]
    out = capsys.readouterr().out
    # What failed is told before, and not lost by it.
    assert out.index("toy night seed 1 failed") < out.index("No report was written (RuntimeError")
