"""The study of FixCLR's equation: its runs, a line of docs/fixclr_study.csv each, then its tables.

``python benchmarks/fixclr_study.py run`` repeats all of it, ``... run --stages small`` its
smallest part in about ten minutes on two cores; both go on where they were stopped. PACS is read
from where ``$JAXCLR_DATA`` or ``--pacs-root`` points, and starts from the weights in
``--pacs-weights``. ``... table`` prints the tables of docs/fixclr-study.md from the file alone,
``... plot`` draws its pictures.
"""

import argparse
import functools
import itertools
import threading
from pathlib import Path
from typing import Any, NamedTuple

import grid
from fixclr_tables import plot, print_tables

CSV = grid.ROOT / "docs" / "fixclr_study.csv"
DIGITS = ("scan", "texture", "outline", "print")
PACS = ("art_painting", "cartoon", "photo", "sketch")
TEMPERATURES = (0.07, 0.1, 0.2, 0.5, 1.0)
WEIGHTS = (0.1, 0.3, 1.0, 3.0, 10.0)


class Repulsion(NamedTuple):
    """Settings of the term, as the study starts from; they are not the library's defaults."""

    reading: str = "pairs"
    frozen_numerator: bool = True
    temperature: float = 0.1
    weight: float = 1.0
    reduction: str = "mean"
    ramp: float = 0.0
    vectors: str = "features"
    centred: bool = False
    views: str = "strong"
    trust: str = "trusted"
    attraction: float = 0.0
    curriculum: str = "none"

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the start."""
        start = Repulsion()._asdict()
        return {name: value for name, value in self._asdict().items() if value != start[name]}

    @property
    def row(self) -> str:
        """A name that is the same for the same settings."""
        told = [f"{name}={value}" for name, value in self.changes.items()]
        return ",".join(told) or "start"

    @property
    def flags(self) -> list[str]:
        """The options of the command line that say so."""
        found = []
        # Those whose defaults the study chose are told always.
        always = {"temperature": self.temperature, "weight": self.weight}
        for name, value in (always | self.changes).items():
            flag = f"--method.terms.repulsion.{name.replace('_', '-')}"
            if isinstance(value, bool):
                found.append(flag if value else flag.replace("repulsion.", "repulsion.no-"))
            else:
                found += [flag, str(value)]
        return found


WRITING = threading.Lock()
FIXMATCH = None
"""The row without the term."""


class Stage(NamedTuple):
    """Rows that are compared with each other, on the same targets and seeds."""

    data: str
    rows: tuple[Repulsion | None, ...]
    targets: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: int
    more: tuple[str, ...] = ()


START = Repulsion()
ON_DIGITS = ("--model.width", "32", "--held-back", "0.2")
READINGS = (
    START,
    START._replace(reading="anchors"),
    START._replace(reading="group_means"),
    START._replace(frozen_numerator=False),
)
# All cells of the first reading, and of the others every other one, as on a chessboard.
COARSE = tuple(
    reading._replace(temperature=temperature, weight=weight)
    for reading, (i, temperature), (j, weight) in itertools.product(
        READINGS, enumerate(TEMPERATURES), enumerate(WEIGHTS)
    )
    if reading == START or (i + j) % 2 == 0
)
# What the sweep chose: the best on held-back images among cells whose neighbours are good, too.
CHOSEN = START._replace(temperature=0.2, weight=0.3)
HEAVIER = CHOSEN._replace(weight=1.0)
SETTINGS = (
    START,
    CHOSEN,
    CHOSEN._replace(reduction="sum", weight=0.01),
    CHOSEN._replace(reduction="sum", weight=0.1),
    CHOSEN._replace(ramp=0.5),
    CHOSEN._replace(vectors="embedding"),
    CHOSEN._replace(views="both"),
    CHOSEN._replace(trust="all"),
    CHOSEN._replace(reading="anchors"),
    CHOSEN._replace(frozen_numerator=False),
    CHOSEN._replace(attraction=1.0),
    HEAVIER._replace(attraction=1.0),
    HEAVIER._replace(attraction=1.0, curriculum="training"),
    HEAVIER._replace(attraction=1.0, curriculum="confidence"),
    CHOSEN._replace(centred=True),
    HEAVIER._replace(centred=True),
    HEAVIER._replace(centred=True, attraction=1.0),
)
ON_PACS = ("--augment.size", "96", "--domain-probe", "200", "--log-every", "20")
FINAL = (FIXMATCH, CHOSEN, START, START._replace(attraction=1.0))
FRESH = (11, 12)
"""Seeds that chose nothing."""
STAGES = {
    "small": Stage("digits", (FIXMATCH, CHOSEN, START), DIGITS, (1,), 150, ON_DIGITS),
    "coarse": Stage("digits", (FIXMATCH, *COARSE), ("texture", "print"), (1,), 150, ON_DIGITS),
    "settings": Stage("digits", (FIXMATCH, *SETTINGS), DIGITS, (1,), 200, ON_DIGITS),
    "loaded": Stage(
        "digits", FINAL, DIGITS, FRESH[:1], 200,
        (*ON_DIGITS, "--model.weights", "{workdir}/loaded/simclr/{target}/seed{seed}/weights.npz"),
    ),
    "long": Stage("digits", FINAL, DIGITS, FRESH, 400, ON_DIGITS),
    "pacs": Stage("pacs", FINAL, PACS, (1,), 100, ON_PACS),
}  # fmt: skip
COLUMNS = (
    *("stage", "row", "data", *Repulsion._fields, "target", "seed", "steps", "accuracy"),
    *("held_back_accuracy", "source_accuracy", "pseudo_label_keep_rate", "pseudo_label_accuracy"),
    *("domain_probe_accuracy", "supervised_gradient", "consistency_gradient"),
    *("repulsion_gradient", "seconds", "git_commit"),
)


def name_of(row: Repulsion | None) -> str:
    """How the row is called in the file."""
    return "fixmatch" if row is None else row.row


def experiment_of(row: Repulsion | None) -> str:
    """The experiment that a row changes: a projector comes with one of its own."""
    if row is None:
        return "fixmatch"
    return "fixclr_projected" if row.vectors == "embedding" else "fixclr"


def make(item: tuple[str, Repulsion | None], workdir: Path, pacs: list[str]) -> None:
    """Makes the runs of one row of one stage."""
    name, row = item
    stage = STAGES[name]
    experiment = f"{stage.data}_{experiment_of(row)}"
    arguments = [
        *("--steps", str(stage.steps), "--eval-every", str(stage.steps), "--gradient-norms"),
        *("--targets", *stage.targets, "--seeds", *map(str, stage.seeds)),
        *(part.replace("{workdir}", str(workdir)) for part in stage.more),
        *(pacs if stage.data == "pacs" else ()),
        *(() if row is None else row.flags),
    ]
    grid.make(name_of(row), experiment, workdir / name, arguments)
    with WRITING:
        collect(workdir)


def make_encoders(workdir: Path) -> None:
    """The encoders that the runs with loaded weights start from, taught without any label."""
    stage = STAGES["loaded"]
    chosen = ("--targets", *stage.targets, "--seeds", *map(str, stage.seeds))
    grid.make("simclr", "digits_simclr", workdir / "loaded", [*chosen, *ON_DIGITS])


def collect(workdir: Path) -> None:
    """Writes a line for every finished run; lines of runs that are not there any more stay."""
    lines = {
        key_of(line): list(line.values()) for line in (grid.read_lines(CSV) if CSV.exists() else [])
    }
    finished = (
        (name, stage, row, found)
        for name, stage in STAGES.items()
        for row in stage.rows
        for found in grid.results(workdir / name, name_of(row))
    )
    for name, stage, row, found in finished:
        settings = Repulsion(weight=0.0) if row is None else row
        norms = {f"{k}_gradient": v for k, v in (found["gradient_norms"] or {}).items()}
        values = {"stage": name, "row": name_of(row), "data": stage.data, **settings._asdict()}
        line = {**found, **values, **norms}
        fields = dict(zip(COLUMNS, grid.rounded(line.get(x) for x in COLUMNS), strict=True))
        lines[key_of(fields)] = list(fields.values())
    order = {name: i for i, name in enumerate(STAGES)}
    grid.write_lines(CSV, COLUMNS, sorted(lines.values(), key=lambda x: order.get(x[0], 99)))


def key_of(line: dict[str, Any]) -> tuple[str, ...]:
    """What tells one run from another."""
    return tuple(str(line[name]) for name in ("stage", "row", "target", "seed"))


def main() -> None:
    """Makes runs, prints tables, or draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "table", "plot"))
    parser.add_argument("--stages", nargs="+", choices=tuple(STAGES), default=tuple(STAGES))
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--workdir", type=Path, default=grid.ROOT / "runs" / "fixclr_study")
    parser.add_argument("--pacs-root", help="folder of PACS")
    parser.add_argument("--pacs-weights", help="weights of a ResNet-18, to start PACS from")
    given = parser.parse_args()
    if given.what == "table":
        print_tables(grid.read_lines(CSV))
    elif given.what == "plot":
        plot(grid.read_lines(CSV), grid.ROOT / "docs")
    else:
        pacs = ["--dataset.root", given.pacs_root] if given.pacs_root else []
        if given.pacs_weights:
            pacs += ["--model.weights", given.pacs_weights, "--model.allow-partial"]
        if "loaded" in given.stages:
            make_encoders(given.workdir)
        items = [(name, row) for name in given.stages for row in STAGES[name].rows]
        one = functools.partial(make, workdir=given.workdir, pacs=pacs)
        grid.in_parallel(given.jobs, one, items)


if __name__ == "__main__":
    main()
