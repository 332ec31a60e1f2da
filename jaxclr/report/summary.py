"""The tables of a report: accuracies, differences, every other measure, and run by run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxclr.report.groups import Group
from jaxclr.report.material import Material
from jaxclr.report.paired import Difference, Pair, paired_difference
from jaxclr.report.table import NOTHING, Table
from jaxclr.tables import summarise


class Measure(NamedTuple):
    """One measure of runs, as a table names it."""

    name: str
    """In ``results.json``, or of :mod:`jaxclr.report.measured`; a column of ``runs.csv``."""
    told: str
    digits: int
    unit: str


MEASURES = (
    Measure("accuracy", "accuracy on the target", 1, "%"),
    Measure("balanced_accuracy", "balanced accuracy", 1, "%"),
    Measure("macro_precision", "macro precision", 1, "%"),
    Measure("macro_recall", "macro recall", 1, "%"),
    Measure("macro_f1", "macro F1", 1, "%"),
    Measure("nll", "negative log-likelihood", 3, "nats"),
    Measure("ece", "expected calibration error", 1, "%"),
    Measure("source_accuracy", "accuracy on the sources", 1, "%"),
    Measure("held_back_accuracy", "accuracy on held-back images", 1, "%"),
    Measure("pseudo_label_keep_rate", "pseudo-labels kept", 1, "%"),
    Measure("pseudo_label_accuracy", "of them right", 1, "%"),
    Measure("domain_probe_accuracy", "domain probe", 1, "%"),
    Measure("cosine_within", "cosine, same class and domain", 2, ""),
    Measure("cosine_across", "cosine, same class, other domain", 2, ""),
    Measure("cosine_between", "cosine, other class", 2, ""),
    Measure("uniformity", "uniformity", 2, ""),
    Measure("seconds", "training time of a run", 1, "s"),
    Measure("images_per_second", "images a second", 0, ""),
)
"""In the order of the page."""


def accuracies(group: Group) -> dict[Pair, float]:
    """The accuracy of each run, in %."""
    return {pair: record.results["accuracy"] for pair, record in group.pairs.items()}


def differences(material: Material) -> dict[str, Difference | None]:
    """Of every experiment but the baseline, its accuracy less the baseline's, in points."""
    if material.baseline is None:
        return {}
    base = accuracies(material.baseline)
    return {
        group.name: paired_difference(accuracies(group), base)
        for group in material.groups
        if group is not material.baseline
    }


def accuracy_table(material: Material) -> Table:
    """A row for each experiment, a column for each target: mean ± std over seeds, in %."""
    rows = []
    for group in material.groups:
        summary = summarise([record.results for record in group.records])
        cells = [_cell(summary["targets"].get(target)) for target in material.targets]
        # A mean over fewer targets than there are columns would not be comparable.
        whole = len(summary["targets"]) == len(material.targets)
        mean = _mean(summary) if whole else NOTHING
        rows.append((group.name, *cells, mean, str(len(group.records))))
    return Table(("experiment", *material.targets, "mean", "runs"), tuple(rows))


def difference_table(material: Material) -> Table:
    """A row for each experiment but the baseline; empty where there is none."""
    rows = []
    for name, found in differences(material).items():
        if found is None:
            rows.append((name, NOTHING, NOTHING, "0"))
            continue
        low_high = NOTHING
        if found.half is not None:
            low_high = f"{found.mean - found.half:+.1f} to {found.mean + found.half:+.1f}"
        rows.append((name, f"{found.mean:+.1f}", low_high, str(found.pairs)))
    return Table(("experiment", "difference", "95 % interval", "pairs"), tuple(rows))


def measures_table(material: Material) -> Table:
    """A row for each measure that some run has, a column for each experiment.

    Args:
        material: What the report is about.

    Returns:
        Means over targets of the means over seeds, and the spread of the seeds' own means; nothing
        where a target has no run with the measure.
    """
    rows = []
    for measure in MEASURES:
        if any(record.results.get(measure.name) is not None for record in material.records):
            unit = f", {measure.unit}" if measure.unit else ""
            cells = (_over_runs(group, material.targets, measure) for group in material.groups)
            rows.append((f"{measure.told}{unit}", *cells))
    devices = [
        dict.fromkeys(str(device) for r in group.records if (device := r.results.get("device")))
        for group in material.groups
    ]
    if any(devices):
        rows.append(("device", *(", ".join(of_group) or NOTHING for of_group in devices)))
    return Table(("measure", *(group.name for group in material.groups)), tuple(rows))


def runs_table(material: Material) -> Table:
    """A line for each run with every measure, at full precision; empty where there is none."""
    classes = material.groups[0].records[0].results["classes"]
    header = (
        *("experiment", "target", "seed", "steps"),
        *(measure.name for measure in MEASURES),
        *(f"accuracy of {name}" for name in classes),
        *("device", "git_commit", "folder"),
    )
    rows = []
    runs = ((group.name, record) for group in material.groups for record in group.records)
    for name, record in runs:
        values = record.results
        row = (
            *(name, values["target"], str(values["seed"]), _exact(values.get("steps"))),
            *(_exact(values.get(measure.name)) for measure in MEASURES),
            *(_exact(value) for value in values["accuracy_per_class"]),
            *(_exact(values.get("device")), _exact(values.get("git_commit"))),
            # By what it is called from anywhere.
            Path(*record.folder.resolve().parts[-3:]).as_posix(),
        )
        rows.append(row)
    return Table(header, tuple(rows))


def _cell(row: Mapping[str, Any] | None) -> str:
    return NOTHING if row is None else _spread(row["mean"], row["std"], 1, len(row["seeds"]))


def _mean(summary: Mapping[str, Any], digits: int = 1) -> str:
    """Over targets; its spread is that of the seeds that all targets have."""
    common = set.intersection(*(set(row["seeds"]) for row in summary["targets"].values()))
    return _spread(summary["mean"], summary["std"], digits, len(common))


def _spread(mean: float, std: float | None, digits: int, seeds: int) -> str:
    """One seed has no spread to tell."""
    told = f"{mean:.{digits}f}"
    return told if std is None or seeds < 2 else f"{told} ± {std:.{digits}f}"


def _over_runs(group: Group, targets: Sequence[str], measure: Measure) -> str:
    seen = [
        {**record.results, "accuracy": value}
        for record in group.records
        if (value := record.results.get(measure.name)) is not None
    ]
    # A mean over fewer targets than the others' would not be comparable.
    if {run["target"] for run in seen} != set(targets):
        return NOTHING
    return _mean(summarise(seen), measure.digits)


def _exact(value: object) -> str:
    return "" if value is None else str(value)
