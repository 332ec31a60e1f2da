"""Runs that die and go on: killed processes, and disks that are full."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
from toy import toy_experiment

from jaxclr.run import Run
from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.state import initial_state

TOY = Path(__file__).with_name("toy.py")
ARGUMENTS = ("--targets", "day", "--steps", "200", "--eval-every", "10", "--log-every", "4")
ENVIRONMENT = {**os.environ, "XLA_FLAGS": ""}


def command(workdir: Path) -> list[str]:
    main = [sys.executable, "-m", "jaxclr.main"]
    where = (f"--experiment={TOY}", f"--workdir={workdir}", "--no-report")
    return [*main, *where, *ARGUMENTS]


def finish(workdir: Path) -> Path:
    done = subprocess.run(command(workdir), check=True, env=ENVIRONMENT, capture_output=True)
    # Nothing goes wrong here, so no package has anything to warn of.
    assert done.stderr == b""
    return workdir / "toy/day/seed1"


def kill_when(workdir: Path, it_is_time) -> None:
    """Starts the run, and kills it at once when ``it_is_time(folder)``."""
    folder = workdir / "toy/day/seed1"
    with subprocess.Popen(
        command(workdir), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not it_is_time(folder):
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
    assert not (folder / "results.json").exists()


def last_step(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


def saving(folder: Path) -> bool:
    """Whether a checkpoint is half-written, one before it being whole."""
    names = os.listdir(folder / "checkpoints") if (folder / "checkpoints").exists() else []
    return any("tmp" in name for name in names) and any(name.isdigit() for name in names)


def final_arrays(folder: Path) -> list[np.ndarray]:
    experiment = toy_experiment(steps=200)
    run = Run(experiment, experiment.dataset.load(), "day", 1, folder.parent / "none", {})
    checkpoints = Checkpoints(folder / "checkpoints")
    found = checkpoints.restore(initial_state(run.setting))
    checkpoints.close()
    assert found is not None
    assert found.step == 200
    return [np.asarray(leaf) for leaf in jax.tree.leaves(found.state)]


def test_a_run_killed_twice_ends_bit_for_bit_as_one_that_never_was(tmp_path):
    """Once at a random step, once in the middle of a save."""
    whole = finish(tmp_path / "whole")
    victim = tmp_path / "victim"
    step = random.SystemRandom().randrange(12, 150)
    kill_when(victim, lambda folder: last_step(folder) >= step)
    kill_when(victim, saving)
    broken = finish(victim)
    message = f"first killed at step {step}"
    assert (broken / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes(), (
        message
    )
    for ours, theirs in zip(final_arrays(broken), final_arrays(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=message)
    results = [json.loads((folder / "results.json").read_text()) for folder in (broken, whole)]
    for result in results:
        for measured in ("seconds", "images_per_second"):
            assert result.pop(measured) > 0
    assert results[0] == results[1]


def test_a_full_disk_ends_a_run_with_a_message_and_keeps_what_was_written(tmp_path):
    """A limit of 8 KiB on a file's size stands for the disk: the checkpoint is larger."""
    limited = ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *command(tmp_path)]
    done = subprocess.run(limited, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot be written" in done.stderr
    assert "--workdir" in done.stderr
    assert last_step(tmp_path / "toy/day/seed1") >= 10
    assert finish(tmp_path).joinpath("results.json").exists()
