"""Runs that are told of elsewhere: from the flag to the last picture, and when that fails."""

import importlib.util
import io
import json
import shutil
from pathlib import Path

import pytest
import tensorboardX.record_writer
from events import read_events
from logged import WINDOW, assert_same, expected, shown_by_tensorboard, started
from PIL import Image
from rich.console import Console
from toy import toy_experiment

from jaxclr.errors import InputError
from jaxclr.experiment import as_code
from jaxclr.jobs import Job
from jaxclr.launch import check, command_line, make
from jaxclr.loggers import check_loggers
from jaxclr.main import main
from jaxclr.methods.erm import erm
from jaxclr.sinks import TensorBoard
from jaxclr.sweep import sweep


class Broken:
    """A sink whose disk is full from its second line on."""

    fresh, where = False, None

    def __init__(self, facts, step):
        self.room = 1

    def text(self, name, text):
        pass

    def write(self, step, values):
        self.room -= 1
        if self.room < 0:
            raise OSError(28, "No space left on device")

    def close(self, *, failed):
        raise OSError(28, "No space left on device")


class Unreachable:
    """A sink that cannot be opened."""

    def __init__(self, facts, step):
        raise TimeoutError


def test_a_sink_that_fails_is_told_of_once_and_the_others_go_on(tmp_path):
    said = []
    kinds = {"broken": Broken, "unreachable": Unreachable, "tensorboard": TensorBoard}
    journal, loggers = started(tmp_path, *kinds, said=said, kinds=kinds)
    with loggers:
        for step in (10, 20, 30, 40):
            journal.write(step, WINDOW)
    assert_same(shown_by_tensorboard(tmp_path), expected(tmp_path))
    assert [text.split(" from here")[0] for text in said] == [
        "Nothing is logged to unreachable", "Nothing is logged to broken",
    ]  # fmt: skip
    assert said[0].endswith("TimeoutError")
    assert "No space left on device" in said[1]


class Full(io.BytesIO):
    """A file on a disk with room for a kilobyte."""

    def write(self, data):
        if self.tell() > 1000:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_under_tensorboard_does_not_end_the_run(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(tensorboardX.record_writer, "open_file", lambda path: Full())
    journal, loggers = started(tmp_path, "tensorboard", said=said)
    with loggers:
        for step in range(200):
            journal.write(step, WINDOW)
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert len(expected(tmp_path)) == 2 * 200


def test_a_run_is_told_line_by_line_and_then_in_the_pictures_of_its_report(tmp_path, monkeypatch):
    def one_picture(folders, output):
        assert json.loads((folders[0] / "results.json").read_text())["steps"] == 2
        (output / "figures").mkdir(parents=True)
        Image.new("RGB", (4, 2)).save(output / "figures/confusion.png")
        return output / "index.html"

    monkeypatch.setattr("jaxclr.report.write.write_report", one_picture)
    experiment = toy_experiment(
        targets=("day",), method=erm(), steps=2, eval_every=1, domain_probe=0
    )
    sweep(experiment, tmp_path, Console(quiet=True), ("tensorboard",))
    folder = tmp_path / "toy/day/seed1"
    assert_same(shown_by_tensorboard(folder), expected(folder))
    code, *_, picture = read_events(folder / "tensorboard")
    assert as_code(experiment) in code.content
    assert picture[:2] == (2, "figures/confusion")


@pytest.mark.slow
def test_a_resumed_run_goes_on_in_the_same_folder_and_has_the_same_pictures(tmp_path):
    arguments = [*command(tmp_path), "--log-to", "tensorboard"]
    assert main(arguments) == 0
    folder = tmp_path / "toy/day/seed1"
    before = read_events(folder / "tensorboard")
    (folder / "results.json").unlink()
    shutil.rmtree(folder / "checkpoints/6")
    assert main(arguments) == 0
    assert len([*folder.glob("tensorboard/*")]) == 2
    assert read_events(folder / "tensorboard") == before
    report = {f"figures/{path.stem}" for path in tmp_path.glob("toy/report/figures/*.png")}
    assert {value.tag for value in before if isinstance(value.content, tuple)} == report


def command(workdir) -> list[str]:
    toy = Path(__file__).with_name("toy.py")
    return [f"--experiment={toy}", f"--workdir={workdir}", "--targets", "day"]


def test_the_jobs_of_many_runs_are_told_where_to_log(tmp_path, monkeypatch):
    made = []

    class Recorder:
        failures = ()

        def __init__(self, *_):
            self.make = made.extend

    monkeypatch.setattr("jaxclr.pool.Pool", Recorder)
    flags = ["--experiments", "mine", "--jobs", "1", "--log-to", "tensorboard"]
    chosen = command_line("sweep", "").parse_args(flags)
    check(chosen)
    make([Job("a run", tmp_path, ("python", "--seeds", "1"))], chosen, print)
    assert made[0].command == ("python", "--seeds", "1", "--log-to", "tensorboard")
    with pytest.raises(InputError, match="no logger 'paper'"):
        check(command_line("sweep", "").parse_args([*flags[:2], "--log-to", "paper"]))


def test_a_package_that_is_missing_is_told_before_anything_is_done(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main([*command(tmp_path), "--log-to", "tensorboard"]) == 2
    assert "pip install 'jaxclr[tensorboard]'" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_a_logger_that_there_is_not_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"Did you mean 'tensorboard'"):
        check_loggers(["tensorbord"])
    check_loggers(["tensorboard", "tensorboard"])
