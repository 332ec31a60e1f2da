"""Every method on the embedded digits, each alone and with FixCLR or ADC: runs, then tables.

``python benchmarks/digits_methods.py run [--seeds 1 2] [--jobs 2] [--rows ROW ...]`` makes the runs
that are not made yet, several at once, each on one thread, and adds them to
``docs/digits_methods.csv``, a line per run. ``... table`` prints the tables of docs/results.md from
that file alone. A ConvNet of half the experiments' width keeps a run below a minute; all else is
as the experiments have it.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy import stats

ROOT = Path(__file__).parent.parent
CSV = ROOT / "docs" / "digits_methods.csv"
COLUMNS = (
    *("row", "target", "seed", "accuracy", "neighbors_accuracy", "source_accuracy"),
    *("pseudo_label_keep_rate", "pseudo_label_accuracy", "domain_probe_accuracy", "seconds"),
)
TARGETS = ("scan", "texture", "outline", "print")
TERM = "--method.terms.repulsion."

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
OTHERS = ("defixmatch", "protogcd", "sinkhorn", "uplm", "stylematch")
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
ROWS = {
    row: {**ABLATIONS, **WITH_ENCODER, **LESS}.get(row, (row,))
    for row in (
        *(x for pair in PAIRS.items() for x in pair),
        *CALIBRATED.values(),
        *ABLATIONS,
        *(x for pair in SELF_SUPERVISED.items() for x in pair),
        *WITH_ENCODER,
        *LESS,
        *OTHERS,
    )
}
ONE_THREAD = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def make(row: str, seeds: list[int], workdir: Path) -> None:
    """Makes the runs of one row, every target and seed; those finished are not repeated."""
    experiment, *changes = (part.replace("{workdir}", str(workdir)) for part in ROWS[row])
    command = [
        *(sys.executable, "-m", "jaxclr.main", f"--experiment=digits_{experiment}"),
        *("--name", row, "--workdir", str(workdir), "--model.width", "32", "--eval-every", "200"),
        *("--threads", "1", "--seeds", *map(str, seeds), *changes),
    ]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD}, cwd=ROOT, capture_output=True, text=True
    )
    print(row, "is made" if done.returncode == 0 else f"failed:\n{done.stderr[-2000:]}", flush=True)
    collect(workdir)


def collect(workdir: Path) -> None:
    """Writes the results of every finished run, in the order of the rows."""
    lines = []
    for row in ROWS:
        for path in sorted(workdir.glob(f"{row}/*/seed*/results.json")):
            results = json.loads(path.read_text())
            numbers = [results.get(name) for name in COLUMNS[1:]]
            lines.append([row, *(round(x, 3) if isinstance(x, float) else x for x in numbers)])
    temporary = CSV.with_suffix(".tmp")
    with open(temporary, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *lines])
    temporary.replace(CSV)


def read() -> dict[str, dict[tuple[str, int], dict[str, float]]]:
    """Of every row, the figures of each (target, seed); what was not measured is NaN."""
    found = {}
    with open(CSV, newline="") as file:
        for line in csv.DictReader(file):
            figures = {name: float(line[name] or "nan") for name in COLUMNS[3:]}
            found.setdefault(line["row"], {})[line["target"], int(line["seed"])] = figures
    return found


def difference(runs: dict, row: str, base: str, figure: str = "accuracy") -> str:
    """The mean paired difference over (target, seed), and its 95 % interval by Student's t."""
    both = sorted(runs.get(row, {}).keys() & runs.get(base, {}).keys())
    gaps = np.array([runs[row][pair][figure] - runs[base][pair][figure] for pair in both])
    if len(gaps) < 2:
        return "-"
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))
    return f"{gaps.mean():+.1f} ± {half:.1f}"


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
            last = difference(runs, row, base) if base else ""
            print(f"| {row} | {' | '.join([*cells(runs, row), last])} |")
    print()


def main() -> None:
    """Makes runs, or prints tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=tuple(ROWS))
    parser.add_argument("--workdir", type=Path, default=ROOT / "runs" / "digits_methods")
    given = parser.parse_args()
    if given.what == "run":
        with ThreadPoolExecutor(given.jobs) as pool:
            for _ in pool.map(lambda row: make(row, given.seeds, given.workdir), given.rows):
                pass
        return
    runs = read()
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
    probed = {
        x: (None if x == base else base)
        for base, plus in SELF_SUPERVISED.items()
        for x in (base, plus, f"{plus}_less")
    }
    table(runs, probed, "linear probe")


if __name__ == "__main__":
    main()
