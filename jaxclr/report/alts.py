"""The main figures of pictures in a sentence, for those who do not see them."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from jaxclr.measures import calibration_bins, confusion, expected_calibration_error
from jaxclr.records import Record
from jaxclr.report.groups import Runs
from jaxclr.report.measured import measured
from jaxclr.report.words import counted

Values = Iterable[float | None]


def accuracy(runs: Runs) -> str:
    """Where the accuracy on each target ends."""
    told = []
    for target in dict.fromkeys(r.results["target"] for some in runs.values() for r in some):
        ends = {
            name: mean
            for name, some in runs.items()
            if (mean := _mean(r.results["accuracy"] for r in some if r.results["target"] == target))
            is not None
        }
        told.append(f"{target}: {_each(ends, _percent)}")
    return f"Accuracy over steps. At the end, on the target {'; '.join(told)}."


def losses(runs: Runs) -> str:
    """From where to where the loss goes."""

    def of_runs(place: int) -> dict[str, float | None]:
        return {
            name: _mean(
                found[place] for r in some if (found := [n["loss"] for n in r.lines if "loss" in n])
            )
            for name, some in runs.items()
        }

    first, last = of_runs(0), of_runs(-1)
    told = [
        f"{name} from {first[name]:.2f} to {last[name]:.2f}"
        for name in runs
        if first[name] is not None and last[name] is not None
    ]
    return f"The loss over steps, and its terms: {'; '.join(told)}."


def pseudo_labels(runs: Runs) -> str:
    """How many are kept over the last 100 steps, and how many of them are right."""
    told = []
    for name, some in runs.items():
        kept = _mean(r.results.get("pseudo_label_keep_rate") for r in some)
        right = _mean(r.results.get("pseudo_label_accuracy") for r in some)
        if kept is not None:
            told.append(f"{name} keeps {_percent(kept)}, {_percent(right)} of them right")
    return f"Pseudo-labels over steps. Over the last 100 of them, {'; '.join(told)}."


def pseudo_labels_by(runs: Runs, axis: str) -> str:
    """Of which domain, or class, most and fewest are kept at the end."""
    from jaxclr.report.figures.pseudo_labels import KEEP

    kept, told = f"{KEEP}_by_{axis}", []
    for name, some in runs.items():
        rates: dict[str, list[float | None]] = {}
        for record in some:
            last = next((line for line in reversed(record.lines) if kept in line), {})
            for part, rate in last.get(kept, {}).items():
                rates.setdefault(part, []).append(rate)
        means = {part: mean for part, of in rates.items() if (mean := _mean(of)) is not None}
        if means:
            most, fewest = (pick(means, key=lambda part: means[part]) for pick in (max, min))
            told.append(
                f"{name} keeps most of {most} ({_percent(means[most])}) and fewest of {fewest} "
                f"({_percent(means[fewest])})"
            )
    return f"Pseudo-labels of each {axis} over steps. At the end {'; '.join(told)}."


def embedding(records: Mapping[str, Record]) -> str:
    """How many points there are, and how far the domain can be read off them."""
    told = []
    for name, record in records.items():
        count = 0 if record.features is None else len(record.features.domain)
        probe = record.results.get("domain_probe_accuracy")
        tail = "" if probe is None else f", of which a probe reads the domain in {_percent(probe)}"
        told.append(f"{name}: {count} images{tail}")
    return f"Features laid out in a plane, by class and by domain. {'; '.join(told)}."


def geometry(runs: Runs) -> str:
    """The mean cosines of images of one class, within and across domains, and of two classes."""
    told = []
    for name, some in runs.items():
        results = [measured(record) for record in some]
        probe = _mean(of.get("domain_probe_accuracy") for of in results)
        figures = {
            "one class in one domain": _mean(of.get("cosine_within") for of in results),
            "one class in two domains": _mean(of.get("cosine_across") for of in results),
            "two classes": _mean(of.get("cosine_between") for of in results),
        }
        parts = [f"{kind} {mean:.2f}" for kind, mean in figures.items() if mean is not None]
        if probe is not None:
            parts.append(f"domain read off in {_percent(probe)}")
        told.append(f"{name}: {', '.join(parts)}")
    return f"How alike features are, by mean cosines. {'; '.join(told)}."


def confusions(runs: Runs) -> str:
    """The class most often taken for another, and for which."""
    told = []
    for name, some in runs.items():
        classes = some[0].results["classes"]
        seen = [r.predictions for r in some if r.predictions is not None]
        if not seen:
            continue
        counts = np.sum([confusion(p.label, p.guess, len(classes)) for p in seen], axis=0)
        share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        np.fill_diagonal(share, 0)
        label, guess = np.unravel_index(share.argmax(), share.shape)
        told.append(
            f"{name} takes {classes[label]} for {classes[guess]} in "
            f"{_percent(float(share[label, guess]))} of its images"
        )
    return f"True against guessed classes. The most frequent confusion: {'; '.join(told)}."


def reliability(runs: Runs) -> str:
    """The expected calibration error over the images of all runs."""
    from jaxclr.report.figures.pooled import pooled

    errors = {}
    for name, some in runs.items():
        if (seen := pooled(some)) is not None:
            bins = calibration_bins(seen.confidence, seen.guess == seen.label)
            errors[name] = expected_calibration_error(bins)
    return f"Accuracy by confidence. Expected calibration error: {_each(errors, _percent)}."


def mistakes(record: Record) -> str:
    """How many are shown, and the surest of them."""
    seen, classes = record.mistakes, record.results["classes"]
    if seen is None or not seen.path:
        return "No mistakes."
    return (
        f"{counted(len(seen.path), 'image')} of {record.results['target']}, guessed wrong. "
        f"The surest: {classes[seen.label[0]]} taken for {classes[seen.guess[0]]} with probability "
        f"{seen.confidence[0]:.2f}."
    )


def _mean(values: Values) -> float | None:
    some = [value for value in values if value is not None]
    return statistics.fmean(some) if some else None


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} %"


def _each(values: Mapping[str, Any], told: Callable[[Any], str]) -> str:
    return ", ".join(f"{name} {told(value)}" for name, value in values.items())
