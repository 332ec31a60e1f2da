"""The toy, whose images note that they are read; for programs of several processes."""

import dataclasses
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from toy import Toy, toy_experiment

from jaxclr.experiment import Experiment
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.pipeline.source import Collection

ENVIRONMENT = {
    **os.environ,
    "XLA_FLAGS": "--xla_backend_optimization_level=0",
    "PYTHONPATH": str(Path(__file__).parent),
}
READS = "JAXCLR_TEST_READS"
"""The variable that names a file where reads are noted; without it, they are not."""


@dataclasses.dataclass(frozen=True)
class Noted:
    """Images of a domain."""

    domain: str
    images: tuple

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if READS in os.environ:
            with open(os.environ[READS], "a") as file:
                file.write(f"{self.domain} {index}\n")
            # So that a signal is agreed upon before the run is at its end.
            time.sleep(0.015)
        return self.images[index]


@dataclasses.dataclass(frozen=True)
class Counted(Toy):
    """Three shapes in three lights; ninety images of each light."""

    per_class: int = 30

    def load(self) -> Collection:
        """Draws all images."""
        found = super().load()
        domains = [d._replace(images=Noted(d.name, d.images)) for d in found.domains]
        return found._replace(domains=tuple(domains))


def experiment() -> Experiment:
    """What ``--experiment=counted.py`` runs; batches are made when they are asked for."""
    return toy_experiment(
        dataset=Counted(), method=fixmatch(threshold=0.6), targets=("day",), steps=24,
        eval_every=6, log_every=4, threads=0, domain_probe=0,
    )  # fmt: skip


class Program:
    """Processes that were started together, each with its own file of reads."""

    def __init__(
        self, workdir: Path, *, count: int = 2, experiment: Path = Path(__file__),
        each: Sequence[tuple[str, ...]] = ((), ()),
    ):  # fmt: skip
        with socket.socket() as found:
            found.bind(("localhost", 0))
            port = found.getsockname()[1]
        self.reads = [workdir / f"reads{i}" for i in range(count)]
        flags = (f"--coordinator=localhost:{port}", f"--num-processes={count}")
        self.processes = [
            subprocess.Popen(
                [*command(workdir, *each[i], experiment=experiment), *flags, f"--process-id={i}"],
                env={**ENVIRONMENT, READS: str(file)},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for i, file in enumerate(self.reads)
        ]  # fmt: skip

    def end(self) -> list[subprocess.CompletedProcess]:
        """Waits for all; what they said, and their exit codes."""
        ended = []
        for process in self.processes:
            try:
                out, err = process.communicate(timeout=180)
            finally:
                process.kill()
            ended.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
        return ended

    def reads_of(self, process: int) -> list[tuple[str, int]]:
        """Domains and places of the images that a process read, in its order."""
        lines = self.reads[process].read_text().splitlines()
        return [(name, int(place)) for name, place in map(str.split, lines)]


def command(workdir: Path, *arguments: str, experiment: Path = Path(__file__)) -> list[str]:
    """Runs this file's experiment, or another's."""
    main = [sys.executable, "-m", "jaxclr.main"]
    where = (f"--experiment={experiment}", f"--workdir={workdir}", "--no-report")
    return [*main, *where, *arguments]
