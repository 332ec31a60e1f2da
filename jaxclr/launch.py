"""What commands that make many runs share: flags that say where, and the making."""

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxclr.errors import InputError
from jaxclr.loggers import check_loggers

# Processes and locks as the many runs need them are not there on every system.
if TYPE_CHECKING:
    from jaxclr.executors import Executor
    from jaxclr.jobs import Job
    from jaxclr.pool import Failure

SHOWN = 8
"""Lines of a failed run's log that are shown."""

MINUTES = 240
"""A run's time with Slurm where none is given."""

FIELDS = """\
Every field of an experiment is a flag, too, and goes to all of them: see
python -m jaxclr.main --experiment=NAME --help. Runs that are finished are not
made again; the same command goes on where it was stopped."""


def command_line(prog: str, about: str) -> argparse.ArgumentParser:
    """The flags that say what to run, and where."""
    parser = argparse.ArgumentParser(
        prog=prog, description=about, epilog=FIELDS, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--experiments", nargs="+", required=True, metavar="NAME|PATH.py", help="what to run")
    add("--workdir", type=Path, default=Path("runs"), help="where runs are written (default: runs)")
    add(
        "--log-to", nargs="+", default=(), metavar="LOGGER",
        help="where else runs are shown while they go on: tensorboard, wandb",
    )  # fmt: skip
    add(
        "--jobs", type=int, metavar="N",
        help="runs at the same time; by default one for each accelerator, or for two processors "
        "where there are none; with Slurm, as many as it lets",
    )  # fmt: skip
    add("--gpus-per-run", type=int, metavar="N", help="accelerators of each run (default: 1)")
    add("--slurm", action="store_true", help="queue the runs with Slurm rather than make them here")
    add("--partition", help="Slurm's; by default the cluster's own")
    add(
        "--time", type=int, metavar="MINUTES",
        help=f"after which Slurm stops a run, to go on later (default: {MINUTES})",
    )  # fmt: skip
    add(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="further options of sbatch, such as account=lab mem=32G cpus-per-task=8",
    )  # fmt: skip
    return parser


def check(chosen: argparse.Namespace) -> None:
    """Refuses what does not go together, or is no number of anything.

    Raises:
        InputError: Says which flag.
    """
    check_loggers(chosen.log_to)
    least = {"jobs": 1, "time": 1, "gpus_per_run": 0 if chosen.slurm else 1}
    for name, allowed in least.items():
        if (value := getattr(chosen, name)) is not None and value < allowed:
            flag = name.replace("_", "-")
            raise InputError(f"--{flag} is {value}; it must be at least {allowed}.")
    for name in ("partition", "time", "set"):
        if getattr(chosen, name) and not chosen.slurm:
            raise InputError(f"--{name} says how to use Slurm; give --slurm, too.")
    if wrong := [text for text in chosen.set if not text.partition("=")[0] or "=" not in text]:
        raise InputError(f"--set: {wrong[0]!r} is not of the form KEY=VALUE.")


def make(
    jobs: "Sequence[Job]", chosen: argparse.Namespace, say: Callable[[str], None]
) -> "list[Failure]":
    """Makes the runs where the flags say, and tells of each.

    Returns:
        Those that were given up.

    Raises:
        KeyboardInterrupt: All were asked to stop, and have.
        JaxclrError: They cannot be made there.
    """
    from jaxclr.pool import Pool

    if not jobs:
        return []
    flags = ("--log-to", *chosen.log_to) if chosen.log_to else ()
    pool = Pool(_executor(chosen, say), say, _accuracy)
    pool.make([dataclasses.replace(job, command=(*job.command, *flags)) for job in jobs])
    return pool.failures


def tell(failures: "Sequence[Failure]", say: Callable[[str], None]) -> None:
    """Says what each run failed of, and shows the end of its log."""
    for job, problem in failures:
        say(f"{job.title} failed: {problem}. The end of its log, {job.log}:")
        for line in job.last_lines(SHOWN):
            say(f"    {line}")


def _executor(chosen: argparse.Namespace, say: Callable[[str], None]) -> "Executor":
    from jaxclr.accelerators import accelerators, slots
    from jaxclr.executors import Local, Slurm

    if chosen.slurm:
        return Slurm(
            chosen.workdir / ".slurm", minutes=chosen.time or MINUTES, partition=chosen.partition,
            gpus=1 if chosen.gpus_per_run is None else chosen.gpus_per_run, parallel=chosen.jobs,
            options=dict(text.split("=", 1) for text in chosen.set),
        )  # fmt: skip
    found = accelerators()
    chosen_slots = slots(found, chosen.jobs, chosen.gpus_per_run)
    where = "" if found.platform == "cpu" else f"{found.number} x "
    say(f"At most {len(chosen_slots)} at the same time, on {where}{found.platform}.")
    return Local(chosen_slots)


def _accuracy(job: "Job") -> str:
    return f": {json.loads(job.results.read_text())['accuracy']:.1f}%"
