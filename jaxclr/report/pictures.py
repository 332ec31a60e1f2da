"""Which pictures a report has, under which headings, and what is said of each."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from jaxclr.records import Features, Record, read_record
from jaxclr.report import alts
from jaxclr.report.groups import Group, Runs
from jaxclr.report.material import Material
from jaxclr.report.measured import has_features
from jaxclr.report.paired import Pair
from jaxclr.report.table import Table
from jaxclr.report.words import counted, joined, plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAID_OUT = 600
"""Most images of a map of features."""


class Picture(NamedTuple):
    """A picture that is not drawn yet."""

    name: str
    """Of its files, and its anchor on the page."""
    title: str
    draw: "Callable[[], Figure | None]"
    """Draws it; None where the runs hold nothing for it."""
    alt: Callable[[], str]
    """Its main figures, for those who do not see it."""
    caption: str
    listing: Table | None = None
    """What it shows, in words, where they are worth copying."""


class Chapter(NamedTuple):
    """Pictures under a heading."""

    anchor: str
    title: str
    pictures: tuple[Picture, ...]
    absent: str
    """What is said where none of them can be drawn."""


def chapters(material: Material) -> tuple[Chapter, ...]:
    """All that a report may show; what can be drawn shows when it is."""
    runs = {group.name: group.records for group in material.groups}
    over = _told(material.groups)
    return (
        Chapter(
            "training", "Training", _training(runs, over),
            "The runs wrote down no loss and no test on the way.",
        ),
        Chapter(
            "pseudo-labels", "Pseudo-labels", _pseudo_labels(runs, over),
            "No run makes pseudo-labels.",
        ),
        Chapter(
            "features", "Features", _features(material, over),
            "No run kept a sample of features: --domain-probe is 0, or they are of an older "
            "version.",
        ),
        Chapter(
            "predictions", "Predictions on the target", _predictions(material, over),
            "No run kept its predictions: all are of an older version.",
        ),
    )  # fmt: skip


def _training(runs: Runs, over: str) -> tuple[Picture, ...]:
    from jaxclr.report.figures import curves

    return (
        Picture(
            "accuracy_over_steps", "Accuracy over steps",
            lambda: curves.accuracy(runs), lambda: alts.accuracy(runs),
            "Accuracy on each target (solid) and on the sources (dashed) at every test, mean over "
            "seeds; the band around a target's line is a standard deviation to either side. Over "
            f"{over}.",
        ),
        Picture(
            "losses_over_steps", "Losses over steps",
            lambda: curves.losses(runs), lambda: alts.losses(runs),
            "The loss that is minimized and each of its terms, before it is weighted; mean over "
            f"runs, the band a standard deviation to either side. Over {over}.",
        ),
    )  # fmt: skip


def _pseudo_labels(runs: Runs, over: str) -> tuple[Picture, ...]:
    from jaxclr.report.figures import pseudo_labels, pseudo_labels_by_class

    return (
        Picture(
            "pseudo_labels", "Pseudo-labels over steps",
            lambda: pseudo_labels.overall(runs), lambda: alts.pseudo_labels(runs),
            "How many of the unlabeled images are trusted with a label, and how many of these "
            "labels are right; mean over runs, the band a standard deviation to either side. "
            f"Hidden labels are used for nothing else. Over {over}.",
        ),
        Picture(
            "pseudo_labels_by_domain", "Pseudo-labels by domain",
            lambda: pseudo_labels.by_domain(runs), lambda: alts.pseudo_labels_by(runs, "domain"),
            f"The same of each source domain, from one test to the next. Over {over}; each domain "
            "counts in those that learn from it.",
        ),
        Picture(
            "pseudo_labels_by_class", "Pseudo-labels by class",
            lambda: pseudo_labels_by_class.by_class(runs),
            lambda: alts.pseudo_labels_by(runs, "class"),
            "The same of the images that are truly of each class, from one test to the next. "
            f"{_chosen(runs)}Over {over}.",
        ),
    )  # fmt: skip


def _chosen(runs: Runs) -> str:
    """Which classes are shown, where not all are."""
    from jaxclr.report.figures.pseudo_labels import parts
    from jaxclr.report.figures.pseudo_labels_by_class import FEW, WORST

    if (count := len(parts(runs, "class"))) <= FEW:
        return ""
    return (
        f"Only the {WORST} hardest of {count} classes are drawn, those with the smallest share of "
        "images kept and right at the end; the three rows beneath are quartiles of all classes. "
    )


def _features(material: Material, over: str) -> tuple[Picture, ...]:
    from jaxclr.report.figures import embedding, geometry

    found, pair = _side_by_side(material, has_features)
    shown = {name: _fewer(read_record(record.folder)) for name, record in found.items()}
    runs = {group.name: group.records for group in material.groups}
    of = f"{joined(list(shown))}, target {pair[0]}, seed {pair[1]}" if shown else "no run"
    return (
        Picture(
            "embedding", "Features in a plane",
            lambda: embedding.maps(shown) if shown else None, lambda: alts.embedding(shown),
            "t-SNE of the features of a sample of every domain, the same points colored by class "
            f"and by domain. One run of each: {of}. Distances between far clusters, and their "
            "sizes, mean nothing.",
        ),
        Picture(
            "geometry", "Geometry of features",
            lambda: geometry.measures(runs), lambda: alts.geometry(runs),
            "How alike features are within a class and between classes, and how far the domain can "
            f"be read off them. Over {over}.",
        ),
    )  # fmt: skip


def _fewer(record: Record) -> Record:
    """With a sample of its features, every domain's share alike: t-SNE takes seconds of many."""
    if (seen := record.features) is None:
        return record
    count = len(seen.domain)
    some = [i * count // min(count, LAID_OUT) for i in range(min(count, LAID_OUT))]
    return record._replace(features=Features(*(values[some] for values in seen)))


def _predictions(material: Material, over: str) -> tuple[Picture, ...]:
    from jaxclr.report.figures import confusion, reliability

    runs = {group.name: group.records for group in material.groups}
    # What has predictions has mistakes.
    wrong, _ = _side_by_side(material, lambda record: record.predictions is not None)
    return (
        Picture(
            "confusion", "Confusion",
            lambda: confusion.matrices(runs), lambda: alts.confusions(runs),
            "Of the images of each true class (a row), how many are taken for each class (a "
            f"column), in %. Over {over}.",
        ),
        Picture(
            "reliability", "Reliability",
            lambda: reliability.diagrams(runs), lambda: alts.reliability(runs),
            "How often guesses of a confidence are right: on the diagonal, as often as they say. "
            "The images of all runs together, so that what some runs overrate and others "
            "underrate cancels; the error in the table is the mean of the runs' own. "
            f"Over {over}.",
        ),
        *(
            _mistakes(f"mistakes_{place}", name, read_record(record.folder))
            for place, (name, record) in enumerate(wrong.items(), 1)
        ),
    )  # fmt: skip


def _mistakes(file: str, name: str, record: Record) -> Picture:
    from jaxclr.report.figures import mistakes

    classes, seen = record.results["classes"], record.mistakes
    rows = [] if seen is None else zip(
        seen.path, seen.label, seen.guess, seen.confidence, strict=True
    )  # fmt: skip
    listing = Table(
        ("file", "true class", "guess", "probability of the guess"),
        tuple((path, classes[label], classes[guess], f"{p:.3f}") for path, label, guess, p in rows),
    )
    target, seed = record.results["target"], record.results["seed"]
    return Picture(
        file, f"Surest mistakes of {name}",
        lambda: mistakes.grid(record, name), lambda: alts.mistakes(record),
        f"The wrong guesses that {name} was surest of. One run: target {target}, seed {seed}.",
        listing,
    )  # fmt: skip


def _side_by_side(
    material: Material, fit: Callable[[Record], bool]
) -> tuple[dict[str, Record], Pair]:
    """One run of the baseline and of the last other experiment that fit, of one target and seed.

    Of a single experiment its first run; of none that share a pair, that of the last alone.
    """
    last = [group for group in material.groups if group is not material.baseline][-1]
    groups = [group for group in (material.baseline, last) if group is not None]
    kept = [{p: r for p, r in g.pairs.items() if fit(r)} for g in groups]
    both = [pair for pair in kept[-1] if all(pair in pairs for pairs in kept)]
    if both:
        return {g.name: pairs[both[0]] for g, pairs in zip(groups, kept, strict=True)}, both[0]
    if not kept[-1]:
        return {}, ("", 0)
    pair = next(iter(kept[-1]))
    return {last.name: kept[-1][pair]}, pair


def _told(groups: tuple[Group, ...]) -> str:
    """Over which runs."""
    counts = [f"{counted(len(group.records), 'run')} of {group.name}" for group in groups]
    number = len(groups[0].records)
    if len(groups) > 2 and all(len(group.records) == number for group in groups):
        counts = [f"{counted(number, 'run')} of each of the {len(groups)} experiments"]
    seeds = sorted({seed for group in groups for _, seed in group.pairs})
    targets = dict.fromkeys(target for group in groups for target, _ in group.pairs)
    return (
        f"{joined(counts)} ({plural('target', len(targets))} {', '.join(targets)}; "
        f"{plural('seed', len(seeds))} {', '.join(map(str, seeds))})"
    )
