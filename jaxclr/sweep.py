"""All runs of an experiment: every target, every seed, then the table.

``python -m jaxclr.sweep --experiments NAME...`` makes those of several, each in its own process.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from jaxclr.errors import InputError, JaxclrError, exit_code, nearest
from jaxclr.experiment import Experiment
from jaxclr.pipeline.source import Collection
from jaxclr.progress import duration
from jaxclr.report import screen, summarise, write_table
from jaxclr.run import Run
from jaxclr.training.distributed import leads
from jaxclr.training.preemption import Stop

# Processes and locks as the many runs need them are not there on every system.
if TYPE_CHECKING:
    from jaxclr.executors import Executor
    from jaxclr.jobs import Job
    from jaxclr.pool import Failure

SHOWN = 8
"""Lines of a failed run's log that are shown."""

MINUTES = 240
"""A run's time with Slurm where none is given."""

ABOUT = """\
Makes the runs of several experiments, every target and every seed, each in a
process of its own. What fails is tried once more; a table of all is written at
the end."""

FIELDS = """\
Every field of an experiment is a flag, too, and goes to all of them: see
python -m jaxclr.main --experiment=NAME --help. Runs that are finished are not
made again; the same command goes on where it was stopped."""


def sweep(experiment: Experiment, workdir: Path, console: Console) -> Path:
    """Makes every run that is not finished, and writes the table.

    All runs are checked before the first is started, so that bad input is told at once.

    Returns:
        The folder with the runs and the table.

    Raises:
        InputError: The experiment cannot be run as it is.
        JaxclrError: A run failed; those before it are kept.
        Stopped: The program was asked to end, and the run that was being made is saved.
    """
    folder = workdir / experiment.name
    collection = experiment.dataset.load()
    runs = all_runs(experiment, collection, folder)
    todo = [run for run in runs if not run.is_finished]
    steps = [run.plan.steps for run in todo]
    if len(todo) < len(runs):
        console.print(f"{len(runs) - len(todo)} of {len(runs)} runs are finished already.")
    told = False

    def foretell(pace: float) -> None:
        nonlocal told
        if not told:
            told = True
            console.print(
                f"The whole table ({len(todo)} runs, {sum(steps)} steps) takes about "
                f"{duration(pace * sum(steps))} on this machine, evaluation aside.",
                highlight=False, soft_wrap=True,
            )  # fmt: skip

    stop = Stop()
    for run in todo:
        run.execute(console, foretell, stop)
    if not leads():
        return folder
    summary = summarise(all_results(folder, collection))
    write_table(folder, summary)
    console.print(screen(summary))
    console.print(f"Runs and table: {folder}", highlight=False, soft_wrap=True)
    return folder


def all_runs(experiment: Experiment, collection: Collection, folder: Path) -> list[Run]:
    """Every run of an experiment, finished or not: every target, and for each every seed.

    Raises:
        InputError: One of them cannot be made as it is. Whether the data suffice shows in its plan.
    """
    programs = {}
    return [
        Run(experiment, collection, target, seed, folder / target / f"seed{seed}", programs)
        for target in checked_targets(experiment, collection)
        for seed in dict.fromkeys(experiment.seeds)
    ]


def all_results(folder: Path, collection: Collection) -> list[dict[str, Any]]:
    """The results of every finished run in the folder, of this sweep or an earlier one."""
    return [
        json.loads(path.read_text())
        for domain in collection.domains
        for path in folder.glob(f"{domain.name}/seed*/results.json")
    ]


def checked_targets(experiment: Experiment, collection: Collection) -> tuple[str, ...]:
    """The targets asked for, or every domain.

    Raises:
        InputError: One is no domain, or there is no domain beside it to learn from.
    """
    names = [domain.name for domain in collection.domains]
    if unknown := [target for target in experiment.targets if target not in names]:
        raise InputError(
            f"--targets: {unknown[0]!r} is no domain of {experiment.dataset.name!r}. "
            f"{nearest(unknown[0], names)}"
        )
    if len(names) < 2:
        raise InputError(
            f"{experiment.dataset.name!r} has the one domain {names[0]!r}; with it held out, none "
            "is left to learn from. Two or more are needed."
        )
    return tuple(dict.fromkeys(experiment.targets)) or tuple(names)


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the runs of several experiments, each in a process of its own, and writes the tables.

    Returns:
        The exit code: 0, 1 if a run failed for good, 2 for bad input, 130 for an interruption.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    return exit_code(lambda: _main(given), interrupted="The same command goes on.")


def _main(argv: list[str]) -> int:
    chosen, fields = _parser().parse_known_args(argv)
    _check(chosen)

    import jax

    from jaxclr.grid import finish, make_grid
    from jaxclr.pool import Pool

    # Here runs are only checked: the accelerators are for those that make them.
    jax.config.update("jax_platforms", "cpu")
    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    grid = make_grid(chosen.experiments, fields, chosen.workdir)
    jobs = grid.jobs
    done = grid.size - len(jobs)
    left = f"; the others have {grid.steps} steps" if jobs else ""
    say(f"{grid.size} runs, {done} of them finished already{left}.")
    failures = []
    if jobs:
        pool = Pool(_executor(chosen, say), say, _accuracy)
        pool.make(jobs)
        failures = pool.failures
    finish(grid, console)
    for failure in failures:
        _tell(failure, say)
    if failures:
        raise JaxclrError(
            f"{len(failures)} of {grid.size} runs failed. The same command tries them again."
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jaxclr.sweep", description=ABOUT, epilog=FIELDS, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--experiments", nargs="+", required=True, metavar="NAME|PATH.py", help="what to run")
    add("--workdir", type=Path, default=Path("runs"), help="where runs are written (default: runs)")
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


def _check(chosen: argparse.Namespace) -> None:
    """Refuses what does not go together, or is no number of anything."""
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


def _tell(failure: "Failure", say: Callable[[str], None]) -> None:
    """Says what a run failed of, and shows the end of its log."""
    job = failure.job
    say(f"{job.title} failed: {failure.problem}. The end of its log, {job.log}:")
    for line in job.last_lines(SHOWN):
        say(f"    {line}")


if __name__ == "__main__":
    sys.exit(main())
