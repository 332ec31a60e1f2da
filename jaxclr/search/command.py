"""Random search over settings, with tables for each way to choose among the draws.

``python -m jaxclr.search --experiments NAME... --draws 20 --seeds 1 2 3`` makes all runs, each in
its own process.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxclr.errors import InputError, JaxclrError, exit_code
from jaxclr.launch import check, command_line, make, tell
from jaxclr.search.distributions import Distribution
from jaxclr.search.selection import Trial
from jaxclr.search.spaces import (
    Settings,
    default_space,
    draw,
    flags,
    leaves,
    read_space,
    refuse_unknown,
)

# What takes long to import comes in when it is needed.
if TYPE_CHECKING:
    from jaxclr.experiment import Experiment
    from jaxclr.grid import Series
    from jaxclr.search.choices import Searched

DRAWS = 20
"""Draws where no number is given: as many as DomainBed's."""

HELD_BACK = 0.2
"""Share of the sources' images that is held back where nothing is."""

ABOUT = """\
Draws settings of each experiment at random, makes the runs of all draws, every
target and every seed, and writes what would have been chosen by held-back images,
by labeled images, by the other targets, and by the target itself."""


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the runs of a search, each in a process of its own, and writes the tables.

    Returns:
        The exit code: 0, 1 if a run failed for good, 2 for bad input, 130 for an interruption.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    return exit_code(lambda: _main(given), interrupted="The same command goes on.")


def _main(argv: list[str]) -> int:
    chosen, fields = _parser().parse_known_args(argv)
    check(chosen)
    if chosen.draws < 1:
        raise InputError(f"--draws is {chosen.draws}; it must be at least 1.")
    asked = None if chosen.space is None else read_space(chosen.space)

    import jax

    # Here runs are only checked: the accelerators are for those that make them.
    jax.config.update("jax_platforms", "cpu")
    folder = chosen.workdir / "search"
    _search(make_plans(chosen.experiments, fields, folder, asked, chosen.draws), chosen, folder)
    return 0


def _search(plans: "list[Plan]", chosen: argparse.Namespace, folder: Path) -> None:
    """Makes the runs that are not finished, and writes and shows the tables."""
    from rich.console import Console

    from jaxclr.grid import Grid, print_tables
    from jaxclr.search.choices import legend, shown, write_choices

    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    for plan in plans:
        say(plan.told)
    # Draw by draw, so that a search that is stopped has as many of each experiment.
    grid = Grid(folder, tuple(plan.series[i] for i in range(chosen.draws) for plan in plans))
    jobs = grid.jobs
    left = f"; the others have {grid.steps} steps" if jobs else ""
    say(f"{grid.size} runs, {grid.size - len(jobs)} of them finished already{left}.")
    failures = make(jobs, chosen, say)
    searched = [plan.searched() for plan in plans]
    write_choices(folder, searched, chosen.workdir)
    print_tables(shown(searched), console)
    say(legend())
    say(f"Runs, tables and the chosen draws' settings: {folder}")
    tell(failures, say)
    if failures:
        raise JaxclrError(
            f"{len(failures)} of {grid.size} runs failed and could not be chosen. The same command "
            "tries them again."
        )


def _parser() -> argparse.ArgumentParser:
    parser = command_line("python -m jaxclr.search", ABOUT)
    parser.add_argument(
        "--draws", type=int, default=DRAWS, metavar="N",
        help="draws of each experiment; draw 0 is the experiment as it stands "
        f"(default: {DRAWS})",
    )  # fmt: skip
    parser.add_argument(
        "--space", type=Path, metavar="FILE.toml",
        help="what is drawn from what; by default ranges around each experiment's own rates, "
        "weight decay, and weights, temperatures and thresholds of its method",
    )  # fmt: skip
    return parser


class Plan(NamedTuple):
    """One experiment with all its draws."""

    name: str
    """As it was asked for: a name or a file."""
    experiment: "Experiment"
    """As it stands."""
    space: dict[str, Distribution]
    """What is drawn."""
    settings: tuple[Settings, ...]
    """The draws."""
    fields: tuple[tuple[str, ...], ...]
    """Flags of each draw's runs."""
    series: "tuple[Series, ...]"
    """Each draw's runs."""

    @property
    def told(self) -> str:
        """The space as a file would have it."""
        width = max(map(len, self.space))
        lines = [f"    {path:<{width}} = {how}" for path, how in self.space.items()]
        return "\n".join([f"{self.experiment.name} draws:", *lines])

    def searched(self) -> "Searched":
        """What there is of it on the disk."""
        from jaxclr.search.choices import Searched

        first = self.series[0]
        return Searched(
            self.name, self.experiment.name, self.experiment.dataset.name,
            tuple(domain.name for domain in first.collection.domains), first.asked,
            {path: str(how) for path, how in self.space.items()}, self.settings, self.fields,
            tuple(trial for place in enumerate(self.series) for trial in _trials(*place)),
        )  # fmt: skip


def make_plans(
    names: Sequence[str], fields: Sequence[str], folder: Path,
    asked: dict[str, Distribution] | None, draws: int,
) -> list[Plan]:  # fmt: skip
    """Draws the settings of every experiment, and checks every run.

    Args:
        names: Of experiments, or paths of their files.
        fields: What the command line overrides, in all of them.
        folder: Where runs are written.
        asked: What is drawn in those that have such a field; None: each experiment's default.
        draws: How many draws there are.

    Raises:
        InputError: A field is unknown, or is both drawn and given, or a run cannot be made.
    """
    from jaxclr.grid import Loaded, make_grid, make_series

    base = make_grid(names, fields, folder)
    given = {field.split("=")[0].removeprefix("--").replace("-", "_") for field in fields}
    spaces = [_space(one.experiment, asked, given) for one in base.series]
    if asked is not None:
        refuse_unknown(asked, [path for one in base.series for path in leaves(one.experiment)])
    loaded: Loaded = {one.experiment.dataset: one.collection for one in base.series}
    plans = []
    for name, one, space in zip(dict.fromkeys(names), base.series, spaces, strict=True):
        if not space:
            raise InputError(
                f"Nothing is drawn in {name!r}: it has no field of the space, or all are given."
            )
        settings = tuple(draw(space, number) for number in range(draws))
        held_back = () if _holds_back(one, given) else ("--held-back", str(HELD_BACK))
        own = tuple(
            (
                *fields,
                *held_back,
                "--name",
                f"{one.experiment.name}-draw{number:02d}",
                *flags(drawn),
            )
            for number, drawn in enumerate(settings)
        )
        series = tuple(make_series(name, flags_of, folder, loaded) for flags_of in own)
        plans.append(Plan(name, one.experiment, space, settings, own, series))
    return plans


def _space(
    experiment: "Experiment", asked: dict[str, Distribution] | None, given: set[str]
) -> dict[str, Distribution]:
    """What is drawn in one experiment."""
    if asked is None:
        # What is given is meant to stay as it is.
        found = default_space(experiment)
        return {path: how for path, how in found.items() if path.replace("-", "_") not in given}
    paths = leaves(experiment)
    if both := [path for path in asked if path.replace("-", "_") in given]:
        raise InputError(f"--space draws {both[0]}, and the command line gives it. Leave out one.")
    return {path: how for path, how in asked.items() if path in paths}


def _holds_back(series: "Series", given: set[str]) -> bool:
    """Whether images of the sources are held back already, or it is said how many are."""
    experiment = series.experiment
    if "held_back" in given or experiment.held_back or experiment.splits is not None:
        return True
    return any(((domain.label >= 0) & ~domain.train).any() for domain in series.collection.domains)


def _trials(number: int, series: "Series") -> list[Trial]:
    """The finished runs of a draw."""
    places = [(target, seed) for target, seeds in series.asked.items() for seed in seeds]
    trials = []
    for target, seed in places:
        file = series.folder / target / f"seed{seed}" / "results.json"
        if not file.exists():
            continue
        found = json.loads(file.read_text())
        labeled, held_back = found["source_accuracy"], found["held_back_accuracy"]
        trials.append(Trial(number, target, seed, found["accuracy"], labeled, held_back))
    return trials
