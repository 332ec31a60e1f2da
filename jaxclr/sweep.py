"""All runs of an experiment: every target, every seed, then the table.

``python -m jaxclr.sweep --experiments NAME...`` makes those of several, each in its own process.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxclr.allocation import end_without_collecting
from jaxclr.errors import InputError, JaxclrError, exit_code, nearest
from jaxclr.launch import check, command_line, make, tell

# What takes long to import comes in later: --help need not wait for it.
if TYPE_CHECKING:
    from rich.console import Console

    from jaxclr.experiment import Experiment
    from jaxclr.pipeline.source import Collection
    from jaxclr.run import Run

ABOUT = """\
Makes the runs of several experiments, every target and every seed, each in a
process of its own. What fails is tried once more; a table of all is written at
the end."""


def sweep(
    experiment: "Experiment", workdir: Path, console: "Console", log_to: Sequence[str] = ()
) -> Path:
    """Makes every run that is not finished, and writes the table.

    All runs are checked before the first is started, so that bad input is told at once.

    Args:
        experiment: Of which.
        workdir: Where the experiment's folder is.
        console: Where it is told how far they are.
        log_to: The loggers that are told, too.

    Returns:
        The folder with the runs and the table.

    Raises:
        InputError: The experiment cannot be run as it is.
        JaxclrError: A run failed; those before it are kept.
        Stopped: The program was asked to end, and the run that was being made is saved.
    """
    from jaxclr.loggers import loggers_of
    from jaxclr.progress import duration
    from jaxclr.tables import screen, summarise, write_table
    from jaxclr.training.distributed import leads
    from jaxclr.training.preemption import Stop

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
        run.execute(console, foretell, stop, loggers_of(run, log_to, console))
    if not leads():
        return folder
    summary = summarise(all_results(folder, collection))
    write_table(folder, summary)
    console.print(screen(summary))
    console.print(f"Runs and table: {folder}", highlight=False, soft_wrap=True)
    return folder


def all_runs(experiment: "Experiment", collection: "Collection", folder: Path) -> "list[Run]":
    """Every run of an experiment, finished or not: every target, and for each every seed.

    Raises:
        InputError: One of them cannot be made as it is. Whether the data suffice shows in its plan.
    """
    from jaxclr.run import Run

    programs = {}
    return [
        Run(experiment, collection, target, seed, folder / target / f"seed{seed}", programs)
        for target in checked_targets(experiment, collection)
        for seed in dict.fromkeys(experiment.seeds)
    ]


def all_results(folder: Path, collection: "Collection") -> list[dict[str, Any]]:
    """The results of every finished run in the folder, of this sweep or an earlier one."""
    return [
        json.loads(path.read_text())
        for domain in collection.domains
        for path in folder.glob(f"{domain.name}/seed*/results.json")
    ]


def checked_targets(experiment: "Experiment", collection: "Collection") -> tuple[str, ...]:
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
    parser = command_line("python -m jaxclr.sweep", ABOUT)
    parser.add_argument("--no-report", action="store_true", help="write no HTML report at the end")
    chosen, fields = parser.parse_known_args(argv)
    check(chosen)

    import jax
    from rich.console import Console

    # Processes and locks as the many runs need them are not there on every system.
    from jaxclr.grid import finish, make_grid
    from jaxclr.main import tell_report

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
    failures = make(jobs, chosen, say)
    found = finish(grid, console)
    tell(failures, say)
    for dataset, folders in {} if chosen.no_report else found.items():
        name = "report" if len(found) == 1 else f"report-{dataset}"
        tell_report(folders, chosen.workdir / name, console)
    if failures:
        raise JaxclrError(
            f"{len(failures)} of {grid.size} runs failed. The same command tries them again."
        )
    return 0


if __name__ == "__main__":
    end_without_collecting()
    sys.exit(main())
