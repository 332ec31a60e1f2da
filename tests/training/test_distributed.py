"""Two processes on one machine, as one program: what they compute, read and write."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from counted import ENVIRONMENT, Program, command, experiment
from rich.console import Console

from jaxclr.errors import InputError
from jaxclr.run import Run
from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.distributed import Cluster, joined
from jaxclr.training.layout import Layout, make_layout
from jaxclr.training.state import TrainState

MEASURED = ("seconds", "images_per_second", "device", "processes", "git_commit")


def journal(folder: Path) -> list[dict]:
    path = folder / "metrics.jsonl"
    return [json.loads(x) for x in path.read_text().split("\n")[:-1]] if path.exists() else []


def execute(folder: Path, programs: dict) -> Run:
    """Makes the run in this process, on one device; no image notes anything."""
    e = experiment()
    run = Run(e, e.dataset.load(), "day", 1, folder, programs)
    run.layout = make_layout(8, jax.devices()[:1])
    run.execute(Console(quiet=True), lambda pace: None)
    return run


class Stopped:
    """A program of two processes of which the second received SIGTERM, and what became of it."""

    def __init__(self, workdir: Path):
        self.folder = workdir / "toy/day/seed1"
        self.program = Program(workdir)
        while not any(line["step"] >= 6 for line in journal(self.folder)):
            assert all(p.poll() is None for p in self.program.processes), self.program.end()
            time.sleep(0.01)
        self.program.processes[1].send_signal(signal.SIGTERM)
        self.ended = self.program.end()
        self.names = {path.name for path in (self.folder / "checkpoints").iterdir()}
        self.step = max(map(int, self.names))
        self.lines = journal(self.folder)
        self.resumed = workdir / "resumed"
        shutil.copytree(self.folder, self.resumed)


@pytest.fixture(scope="module")
def programs():
    return {}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    return Stopped(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, programs):
    return execute(tmp_path_factory.mktemp("one") / "seed1", programs)


def assert_near(ours: list[dict], theirs: list[dict]) -> None:
    """The same lines, but for how floating-point sums were ordered."""
    assert [line.keys() for line in ours] == [line.keys() for line in theirs]
    for one, other in zip(ours, theirs, strict=True):
        for name, value in one.items():
            wanted = other[name]
            if wanted is not None:
                wanted = pytest.approx(wanted, rel=1e-5, abs=1e-5)
            assert value == wanted, (one["step"], name)


def test_both_processes_end_well_at_the_same_step_and_one_alone_tells_of_it(stopped):
    first, second = stopped.ended
    assert (first.returncode, second.returncode) == (0, 0), (first.stderr, second.stderr)
    assert 6 <= stopped.step < 24
    told = f"{stopped.step}/24  stopped and saved; the same command goes on from step"
    assert told in first.stdout
    assert "toy day" not in second.stdout
    assert not (stopped.folder / "results.json").exists()


def test_two_processes_have_the_losses_and_the_accuracies_of_one(stopped, whole):
    theirs = [line for line in journal(whole.folder) if line["step"] <= stopped.step]
    assert {"loss", "accuracy", "source_accuracy"} <= {name for x in theirs for name in x}
    assert_near(stopped.lines, theirs)


def test_each_process_reads_its_rows_of_a_batch_and_its_part_of_what_is_tested(stopped, whole):
    """Of 128 images at once, the first 64 are process 0's; day is only tested."""
    evaluations = stopped.step // 6
    dark = whole.sources
    for process, places in ((0, range(64)), (1, range(64, 90))):
        reads = stopped.program.reads_of(process)
        tested = [place for name, place in reads if name == "day"]
        assert tested == evaluations * list(places)
        wanted = []
        for step in range(stopped.step):
            for stream in (whole.batches.labeled, whole.batches.unlabeled):
                drawn = stream.at(1, step)[:, 4 * process : 4 * process + 4]
                for row in drawn.T:
                    wanted += [(d.name, int(stream.indices[i][row[i]])) for i, d in enumerate(dark)]
        # Nine labeled images of each domain are tested as well, in the first 64 of 128 places.
        extra = [
            (d.name, int(i)) for d, x in zip(dark, whole.split.labeled, strict=True) for i in x
        ]
        trained = [read for read in reads if read[0] != "day"]
        assert sorted(trained) == sorted(wanted + (1 - process) * evaluations * extra)


def test_two_processes_write_one_checkpoint_which_one_process_restores_and_goes_on_from(
    stopped, whole, programs
):
    """Those before it are of the last evaluations; the one that was not tested is no best."""
    assert {str(stopped.step // 6 * 6), str(stopped.step)} <= stopped.names
    execute(stopped.resumed, programs)
    lines, theirs = journal(stopped.resumed), journal(whole.folder)
    assert lines[: len(stopped.lines)] == stopped.lines
    assert_near(lines, theirs)
    results = [
        json.loads((f / "results.json").read_text()) for f in (stopped.resumed, whole.folder)
    ]
    for measured in MEASURED:
        results[0].pop(measured), results[1].pop(measured)
    assert results[0].pop("accuracy") == results[1].pop("accuracy")


def state(step: int) -> TrainState:
    kernel = jnp.linspace(-1.0, 1.0, 24).reshape(4, 6) * step
    return TrainState(
        jnp.int32(step), jnp.uint32(3), {"kernel": kernel}, {"mean": -kernel[0]}, (), (), (), ()
    )


def restored(folder: Path, layout: Layout) -> list[jax.Array]:
    checkpoints = Checkpoints(folder)
    found = checkpoints.restore(layout.spread(state(0)))
    checkpoints.close()
    assert found is not None
    assert found.step == 7
    return jax.tree.leaves(found.state)


def saved_by_eight(folder: Path) -> None:
    checkpoints, layout = Checkpoints(folder), make_layout(8)
    assert layout.num_devices == 8
    checkpoints.save(7, layout.put_state(state(7)), seconds=1.0, source_accuracy=50.0)
    checkpoints.close()


def test_four_devices_restore_what_eight_wrote(tmp_path):
    saved_by_eight(tmp_path)
    leaves = restored(tmp_path, make_layout(8, jax.devices()[:4]))
    for ours, theirs in zip(leaves, jax.tree.leaves(state(7)), strict=True):
        assert ours.sharding.device_set == set(jax.devices()[:4])
        np.testing.assert_array_equal(ours, theirs)


FOUR = """
import sys
from pathlib import Path

import jax
import numpy as np
from test_distributed import restored

from jaxclr.training.layout import make_layout

assert jax.device_count() == 4
np.savez(sys.argv[2], *map(np.asarray, restored(Path(sys.argv[1]), make_layout(8))))
"""


@pytest.mark.slow
def test_a_machine_of_four_devices_restores_what_one_of_eight_wrote(tmp_path):
    saved_by_eight(tmp_path)
    environment = {
        **ENVIRONMENT,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "PYTHONPATH": f"{ENVIRONMENT['PYTHONPATH']}:{Path(__file__).parent}",
    }
    file = tmp_path / "four.npz"
    arguments = [sys.executable, "-c", FOUR, str(tmp_path), str(file)]
    subprocess.run(arguments, check=True, env=environment)
    for ours, theirs in zip(np.load(file).values(), jax.tree.leaves(state(7)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


BETWEEN = """
import dataclasses

import counted
from jaxclr.methods.fbcsa import fbcsa
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Mlp, Prototypes
from jaxclr.probe import Probe


def experiment():
    first = counted.experiment()
    method = fbcsa(fixmatch(threshold=0.6), conformity_weight=5.0, alignment_weight=5.0)
    heads = {"projector": Mlp(), "classifier": Prototypes(start="class_means")}
    return dataclasses.replace(
        first, method=method, model=ConvNet(width=8, size=16, **heads), evaluation=Probe(),
        ema_decay=0.9, tested="both", steps=12, domain_probe=20, held_back=0.1,
    )
"""


@pytest.mark.slow
def test_two_processes_do_as_one_does_between_the_steps(tmp_path):
    """A bank of labeled images, prototypes that start at embeddings, probes, mixed weights."""
    file = tmp_path / "between.py"
    file.write_text(BETWEEN)
    found = []
    for count, folder in ((1, tmp_path / "one"), (2, tmp_path / "two")):
        folder.mkdir()
        program = Program(folder, count=count, experiment=file)
        ended = program.end()
        assert [process.returncode for process in ended] == [0] * count, ended
        found.append(folder / "toy/day/seed1")
    assert_near(journal(found[1]), journal(found[0]))
    one, two = (np.load(folder / "weights.npz") for folder in found)
    for name, values in one.items():
        if values.dtype == np.float32:
            np.testing.assert_allclose(two[name], values, rtol=1e-4, atol=1e-5)
    one, two = (json.loads((folder / "results.json").read_text()) for folder in found)
    assert one["domain_probe_accuracy"] == two["domain_probe_accuracy"]
    assert (one["processes"], two["processes"]) == (1, 2)


@pytest.mark.slow
def test_processes_that_differ_are_told_in_what(tmp_path):
    """As if the second had been started with another seed."""
    program = Program(tmp_path, count=2, each=[("--seeds", "1"), ("--seeds", "2")])
    for process in program.end():
        assert process.returncode == 2
        assert "differ in the experiment, the labels that are kept." in process.stderr


def test_flags_of_which_one_is_missing_are_refused():
    with pytest.raises(InputError, match="given together"), joined(Cluster("localhost:1", 2)):
        pass


def test_without_a_cluster_nothing_is_joined():
    with joined(None):
        assert not jax.distributed.is_initialized()


def test_where_no_cluster_is_found_the_flags_are_named(tmp_path):
    done = subprocess.run(
        command(tmp_path, "--distributed"), env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 2
    for flag in ("--coordinator HOST:PORT", "--num-processes", "--process-id", "Slurm"):
        assert flag in done.stderr
    assert "Traceback" not in done.stderr
