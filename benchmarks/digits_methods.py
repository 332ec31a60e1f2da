"""Every method on the embedded digits, each alone and with FixCLR or ADC: runs, then tables.

``python benchmarks/digits_methods.py run [--seeds 1 2] [--jobs 2] [--rows ROW ...]`` makes the runs
that are not made yet, several at once, each on one thread, and adds them to
``docs/digits_methods.csv``, a line per run. ``... table`` prints the tables of docs/results.md from
that file alone. A ConvNet of half the experiments' width keeps a run below a minute; all else is
as the experiments have it.
"""

import argparse
from pathlib import Path

import grid
import numpy as np

CSV = grid.ROOT / "docs" / "digits_methods.csv"
COLUMNS = (
    *("row", "target", "seed", "accuracy", "neighbors_accuracy", "source_accuracy"),
    *("pseudo_label_keep_rate", "pseudo_label_accuracy", "domain_probe_accuracy", "seconds"),
)
TARGETS = ("scan", "texture", "outline", "print")
TERM = "--method.terms.repulsion."
FIRST = (f"{TERM}temperature", "0.1", f"{TERM}weight", "1")
"""FixCLR as it was when the table was made, before docs/fixclr-study.md chose other defaults."""

PAIRS = {
    "erm": "erm_fixclr",
    "fixmatch": "fixclr",
    "flexmatch": "flexmatch_fixclr",
    "freematch": "freematch_fixclr",
    "softmatch": "softmatch_fixclr",
    "debiaspl": "debiaspl_fixclr",
    "fbcsa": "fbcsa_fixclr",
    "ssc": "ssc_fixclr",
}
"""Base methods, and the same with FixCLR; rows are experiments without ``digits_``."""
CALIBRATED = {"fixmatch": "fixmatch_adc", "ssc": "ssc_adc"}
WITH_ENCODER = {
    "fixmatch_adc_prior": (
        *("fixmatch_adc_prior", "--prior.model.width", "32"),
        *("--prior.weights", "{workdir}/simclr/{target}/seed{seed}/weights.npz"),
    )
}
"""ADC with the frozen encoders that the row ``simclr`` makes."""
LESS = {
    f"{row}_less": (row, "--method.terms.calibration.weight", "0.01")
    for row in ("ssc_adc", "simclr_adc", "byol_adc")
}
"""ADC at a tenth of its weight, on what its own weight overpowers."""
HEAVY = {
    "irm_1": ("irm", "--method.terms.invariance.weight", "1"),
    "vrex_10": ("vrex", "--method.terms.risk-variance.weight", "10"),
}
"""Penalties nearer to the weights of DomainBed."""
OTHERS = ("defixmatch", "protogcd", "sinkhorn", "uplm", "stylematch")
BASELINES = {
    **dict.fromkeys(("coral", "mmd", "irm", "irm_1", "vrex", "vrex_10"), "erm"),
    **dict.fromkeys(("groupdro", "meanteacher"), "erm"),
    **dict.fromkeys(("fixmatch_coral", "uda"), "fixmatch"),
}
"""What users of DomainBed and of USB compare with, each beside what it was added to."""
ABLATIONS = {
    "attraction": ("fixclr", f"{TERM}attraction", "1"),
    "curriculum_training": (
        *("fixclr", f"{TERM}attraction", "1", f"{TERM}curriculum", "training"),
    ),
    "curriculum_confidence": (
        *("fixclr", f"{TERM}attraction", "1", f"{TERM}curriculum", "confidence"),
    ),
    "negative_learning": ("negative_learning",),
    "instance_contrast": ("instance_contrast",),
    "anchors": ("fixclr", f"{TERM}reading", "anchors"),
    "group_means": ("fixclr", f"{TERM}reading", "group_means"),
    "no_numerator": ("fixclr", f"{TERM}no-frozen-numerator"),
    "sum": ("fixclr", f"{TERM}reduction", "sum", f"{TERM}weight", "0.1"),
}
"""Variants of FixCLR on FixMatch: an experiment, and what is changed of it."""
SELF_SUPERVISED = {
    "simclr": "simclr_adc",
    "byol": "byol_adc",
    "simsiam": "simsiam_adc",
    "barlow": "barlow_adc",
    "wmse": "wmse_adc",
}
CHANGED = {**ABLATIONS, **WITH_ENCODER, **LESS, **HEAVY}


def row_of(name: str) -> tuple[str, ...]:
    """The experiment of a row, and what is changed of it; what comes last holds."""
    experiment, *changes = CHANGED.get(name, (name,))
    return experiment, *(FIRST if "fixclr" in experiment else ()), *changes


ROWS = {
    row: row_of(row)
    for row in (
        *(x for pair in PAIRS.items() for x in pair),
        *CALIBRATED.values(),
        *ABLATIONS,
        *(x for pair in SELF_SUPERVISED.items() for x in pair),
        *WITH_ENCODER,
        *LESS,
        *OTHERS,
        *BASELINES,
    )
}


def make(row: str, seeds: list[int], workdir: Path) -> None:
    """Makes the runs of one row, every target and seed, and adds them to the file."""
    experiment, *changes = (part.replace("{workdir}", str(workdir)) for part in ROWS[row])
    common = ("--model.width", "32", "--eval-every", "200", "--seeds", *map(str, seeds))
    grid.make(row, f"digits_{experiment}", workdir, [*common, *changes])
    collect(workdir)


def collect(workdir: Path) -> None:
    """Writes the results of every finished run, in the order of the rows.

    Rows that have no run in the folder keep the lines they have.
    """
    before: dict[str, list] = {}
    for line in grid.read_lines(CSV):
        before.setdefault(line["row"], []).append([line[name] for name in COLUMNS])
    lines = []
    for row in ROWS:
        found = grid.results(workdir, row)
        made = [[row, *grid.rounded(one.get(name) for name in COLUMNS[1:])] for one in found]
        lines += made or before.get(row, [])
    grid.write_lines(CSV, COLUMNS, lines)


def cells(runs: dict, row: str) -> list[str]:
    """A row's means: each target, all targets, and the figures beside accuracy."""
    of_row = runs[row]

    def mean(figure: str, target: str | None = None, digits: int = 1) -> str:
        values = [v[figure] for (t, _), v in of_row.items() if target in (None, t)]
        return f"{np.mean(values):.{digits}f}" if np.isfinite(values).all() else "-"

    right = [v["pseudo_label_accuracy"] for v in of_row.values()]
    return [
        *(mean("accuracy", target) for target in TARGETS),
        mean("accuracy"),
        mean("pseudo_label_keep_rate", digits=0),
        f"{np.nanmean(right):.1f}" if np.isfinite(right).any() else "-",
        mean("domain_probe_accuracy", digits=0),
        mean("seconds", digits=0),
    ]


def table(runs: dict, rows: dict[str, str | None], head: str) -> None:
    """Prints a table of the rows that were made, each with its difference to another."""
    names = [head, *TARGETS, "mean", "kept, %", "right, %", "domain, %", "seconds", "difference"]
    if not runs.keys() & rows.keys():
        return
    print(f"| {' | '.join(names)} |\n| --- |{' ---: |' * (len(names) - 1)}")
    for row, base in rows.items():
        if row in runs:
            last = grid.told(grid.difference(runs, row, base)) if base else ""
            print(f"| {row} | {' | '.join([*cells(runs, row), last])} |")
    print()


def main() -> None:
    """Makes runs, or prints tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=tuple(ROWS))
    parser.add_argument("--workdir", type=Path, default=grid.ROOT / "runs" / "digits_methods")
    given = parser.parse_args()
    if given.what == "run":
        grid.in_parallel(given.jobs, lambda row: make(row, given.seeds, given.workdir), given.rows)
        return
    runs = grid.runs_of(grid.read_lines(CSV), COLUMNS[3:])
    added = {x: (base if x == plus else None) for base, plus in PAIRS.items() for x in (base, plus)}
    adc = {row: base for base, row in CALIBRATED.items()}
    adc |= {"fixmatch_adc_prior": "fixmatch", "ssc_adc_less": "ssc"}
    table(runs, {**added, **adc}, "method")
    table(
        runs,
        {"fixmatch": None, **dict.fromkeys(("fixclr", *ABLATIONS), "fixmatch")},
        "on FixMatch",
    )
    table(runs, dict.fromkeys(OTHERS, "fixmatch"), "method")
    table(runs, {"erm": None, "fixmatch": "erm", **BASELINES}, "method")
    probed = {
        x: (None if x == base else base)
        for base, plus in SELF_SUPERVISED.items()
        for x in (base, plus, f"{plus}_less")
    }
    table(runs, probed, "linear probe")


if __name__ == "__main__":
    main()
