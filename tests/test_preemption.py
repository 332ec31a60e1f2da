"""Runs that are asked to end, by SIGTERM, and go on as if they had not been."""

import json
import signal
import subprocess
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from counted import ENVIRONMENT, READS, command
from rich.console import Console
from toy import toy_experiment

from jaxclr.methods.erm import erm
from jaxclr.run import Run
from jaxclr.training.layout import make_layout
from jaxclr.training.preemption import Stop, Stopped

MEASURED = ("seconds", "images_per_second", "git_commit")


def make(folder: Path, programs: dict) -> Run:
    """A run on one device; tested after every fifth step, with lines after every fourth, too."""
    e = toy_experiment(method=erm(), steps=12, eval_every=5, log_every=4, threads=0, domain_probe=0)
    run = Run(e, e.dataset.load(), "day", 1, folder, programs)
    run.layout = make_layout(8, jax.devices()[:1])
    return run


class Terminal(Console):
    """Remembers what is printed."""

    def __init__(self):
        super().__init__(quiet=True)
        self.said = []

    def print(self, *what, **how):
        self.said += what


def saved(folder: Path) -> set[str]:
    return {path.name for path in (folder / "checkpoints").iterdir()}


def assert_same(ours: Path, theirs: Path) -> None:
    """What two runs left is the same but for times."""
    assert (ours / "metrics.jsonl").read_bytes() == (theirs / "metrics.jsonl").read_bytes()
    one, other = (dict(np.load(folder / "weights.npz")) for folder in (ours, theirs))
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])
    results = [json.loads((folder / "results.json").read_text()) for folder in (ours, theirs)]
    for result in results:
        for measured in MEASURED:
            del result[measured]
    assert results[0] == results[1]


@pytest.fixture(scope="module")
def programs():
    return {}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, programs):
    folder = tmp_path_factory.mktemp("whole") / "seed1"
    make(folder, programs).execute(Console(quiet=True), lambda pace: None)
    return folder


def test_a_stopped_run_goes_on_bit_for_bit_as_one_that_was_not(tmp_path, programs, whole):
    """The signal comes while step 5 is told of; step 6 ends no line and is not tested."""
    terminal, before = Terminal(), signal.getsignal(signal.SIGTERM)
    told = []

    def on_pace(pace: float) -> None:
        told.append(pace)
        if len(told) == 2:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Stopped):
        make(tmp_path, programs).execute(terminal, on_pace, Stop())
    assert signal.getsignal(signal.SIGTERM) is before
    expected = "toy day seed 1 6/12  stopped and saved; the same command goes on from step 6"
    assert terminal.said[-1] == expected
    assert saved(tmp_path) == {"5", "6"}
    assert not (tmp_path / "results.json").exists()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert max(line["step"] for line in lines) == 5

    terminal = Terminal()
    make(tmp_path, programs).execute(terminal, lambda pace: None, Stop())
    assert terminal.said[0] == "toy day seed 1: from step 6 on"
    assert_same(tmp_path, whole)
    assert saved(tmp_path) == saved(whole)


class At(Stop):
    """Asks to end after one step."""

    def __init__(self, step: int):
        super().__init__()
        self.wanted, self.step = step, 0

    def __call__(self) -> bool:
        self.step += 1
        return self.step >= self.wanted


def test_a_run_stopped_where_it_is_tested_is_saved_once(tmp_path, programs, whole):
    with pytest.raises(Stopped):
        make(tmp_path, programs).execute(Console(quiet=True), lambda pace: None, At(5))
    assert saved(tmp_path) == {"5"}
    make(tmp_path, programs).execute(Console(quiet=True), lambda pace: None)
    assert_same(tmp_path, whole)


def test_a_run_asked_to_stop_at_its_last_step_is_finished(tmp_path, programs, whole):
    make(tmp_path, programs).execute(Console(quiet=True), lambda pace: None, At(12))
    assert_same(tmp_path, whole)


def test_once_asked_a_program_stays_asked_and_a_second_signal_is_the_systems():
    before, stop = signal.getsignal(signal.SIGTERM), Stop()
    with stop.listening():
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert stop()
    assert signal.getsignal(signal.SIGTERM) is before
    assert stop()


def begun(workdir: Path, *arguments: str) -> subprocess.Popen:
    """The run as a program, once it has written its first lines."""
    process = subprocess.Popen(
        command(workdir, *arguments), text=True, stdout=subprocess.PIPE,
        env={**ENVIRONMENT, READS: str(workdir / "reads")},
    )  # fmt: skip
    while not (workdir / "toy/day/seed1/checkpoints/6").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.mark.slow
def test_the_program_exits_with_0_and_the_same_command_goes_on(tmp_path):
    process = begun(tmp_path / "stopped")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=180)
    assert process.returncode == 0
    folders = [tmp_path / "stopped/toy/day/seed1", tmp_path / "whole/toy/day/seed1"]
    step = max(map(int, saved(folders[0])))
    assert f"{step}/24  stopped and saved; the same command goes on from step {step}" in out
    for name in ("stopped", "whole"):
        done = subprocess.run(
            command(tmp_path / name), env=ENVIRONMENT, check=True, capture_output=True, text=True
        )
        assert (f"from step {step} on" in done.stdout) == (name == "stopped")
    assert_same(*folders)


@pytest.mark.slow
def test_a_second_signal_ends_the_program_at_once(tmp_path):
    """With steps of some seconds, as slow as its images are read, the first is still waiting."""
    process = begun(tmp_path, "--batch-per-domain", "24", "--labels-per-class", "9")
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
