"""The check of a data set: what is there is compared with what should be."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from jaxclr.errors import InputError
from jaxclr.pipeline.benchmark import Benchmark, Regrouped
from jaxclr.pipeline.contents import Contents, Part, look
from jaxclr.pipeline.findings import Finding, images, of_files, of_lists
from jaxclr.pipeline.prepared import Prepared
from jaxclr.pipeline.source import Dataset, ImageFolders


class Count(NamedTuple):
    """Images of one domain.

    Attributes:
        domain: Its name.
        there: How many can be used, be they readable or not.
        bad: How many more are there that are known to be bad.
        published: How many can be used of what was published; None: not known.
        unreadable: How many cannot be read.
    """

    domain: str
    there: int
    bad: int
    published: int | None
    unreadable: int


class Report(NamedTuple):
    """What was found of a data set."""

    there: Contents
    counts: tuple[Count, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found that should be otherwise."""
        return all(finding.harmless for finding in self.findings)


def verify(card: Dataset, there: Contents, told: Callable[[], object] = lambda: None) -> Report:
    """Decodes every image, and compares all with what is published and what lists say.

    Args:
        card: Of the data set.
        there: What :func:`jaxclr.pipeline.contents.contents` gave for it.
        told: Called after each image.
    """
    digests: dict[str, bytes | None] = {}
    for part in there.parts:
        for path, digest in zip(part.paths, look(part.images), strict=True):
            digests[path] = digest
            told()
    published = published_counts(card)
    bad = Counter(member.domain for member in there.bad)
    counts = tuple(
        Count(
            part.domain,
            len(part.paths),
            bad[part.domain],
            published.get(part.domain),
            sum(digests[path] is None for path in part.paths),
        )
        for part in there.parts
    )
    found = [*_counted(card, there, published)]
    if isinstance(card, ImageFolders) and there.listing is not None:
        found += [*of_files(card, there, there.listing), *of_lists(card, there, there.listing)]
    found += [*_unreadable(digests), *_repeated(there.parts, digests), *_unseen(card, there)]
    report = Report(there, counts, tuple(found))
    # Whatever else a run would stumble over.
    return report._replace(findings=(*found, *_refused(card))) if report.clean else report


def published_counts(card: Dataset) -> Mapping[str, int]:
    """Images of each domain, as far as their number is known beforehand."""
    if isinstance(card, Prepared):
        return {
            domain: sum(card.counts[split] for split in splits)
            for domain, splits in card.splits.items()
        }
    return getattr(card, "counts", {})


def _counted(card: Dataset, there: Contents, published: Mapping[str, int]) -> Iterator[Finding]:
    for part in there.parts:
        expected = published.get(part.domain, len(part.paths))
        difference = len(part.paths) - expected
        if difference:
            yield Finding(
                f"{part.domain}: {images(len(part.paths))} there, {expected:,} published; "
                f"{abs(difference):,} {'missing' if difference < 0 else 'too many'}.",
                "Unpack the published archive anew, whole and into an empty folder."
                if difference < 0
                else "Remove what does not belong there; images of your own are for a folder of "
                "their own.",
                tuple(_differing_classes(card, there, part)),
            )
    total = card.total if isinstance(card, Benchmark) else None
    if total is not None and total != there.total and not getattr(card, "only", ()):
        yield Finding(
            f"{images(there.total)} there, {total:,} usually reported.",
            "How many each domain has is not known, so that this may well be as it should be.",
            harmless=True,
        )


def _differing_classes(card: Dataset, there: Contents, part: Part) -> Iterator[str]:
    """Says of which classes there are more or fewer images than published."""
    if isinstance(card, Benchmark) and part.domain in card.counts_per_class:
        seen = Counter(part.classes)
        expected = zip(card.classes, card.counts_per_class[part.domain], strict=True)
        for name, count in expected:
            if seen[name] != count:
                yield f"{part.domain}/{name} ({seen[name]:,} of {count:,})"


def _unreadable(digests: Mapping[str, bytes | None]) -> Iterator[Finding]:
    if bad := [path for path, digest in digests.items() if digest is None]:
        yield Finding(
            f"Cannot be read: {images(len(bad))}.",
            "Replace the files; or leave them out by --dataset.skip-unreadable, and say so beside "
            "the results.",
            tuple(bad),
        )


def _repeated(parts: Sequence[Part], digests: Mapping[str, bytes | None]) -> Iterator[Finding]:
    """Images that are there several times, by where their copies are."""
    groups: defaultdict[bytes, list[tuple[str, str, str]]] = defaultdict(list)
    for part in parts:
        for path, name in zip(part.paths, part.classes, strict=True):
            if (digest := digests[path]) is not None:
                groups[digest].append((part.domain, name, path))
    across: dict[str, list[str]] = {"classes": [], "domains": [], "neither": []}
    for group in groups.values():
        domains, classes, paths = zip(*group, strict=True)
        kind = "classes" if len({*classes} - {""}) > 1 else "neither"
        kind = "domains" if kind == "neither" and len({*domains}) > 1 else kind
        if len(paths) > 1:
            across[kind].append(" = ".join(paths))
    advice = {
        "classes": "One of the labels is wrong: keep the copy in the right class.",
        "domains": "A target may be seen in training: keep one copy. If they were published so, "
        "say so beside the results.",
        "neither": "They count twice, and a labeled one may be among the unlabeled ones; remove "
        "copies of your own.",
    }
    where = {
        "classes": "in several classes",
        "domains": "in several domains",
        "neither": "in one class of one domain",
    }
    for kind, found in across.items():
        if found:
            yield Finding(
                f"More than once, {where[kind]}: {images(len(found))}, pixel for pixel.",
                advice[kind],
                tuple(found),
                harmless=kind == "neither",
            )


def _unseen(card: Dataset, there: Contents) -> Iterator[Finding]:
    """Classes that a domain lacks, which as a source it must not."""
    lacking = [
        f"{part.domain}/{name}"
        for part in there.parts
        if part.paths
        for name in sorted({*there.classes} - {*part.classes}, key=there.classes.index)
    ]
    if lacking:
        yield Finding(
            f"Classes without an image in a domain, though every source must show every class: "
            f"{len(lacking):,}.",
            "Choose domains and classes by --dataset.only and --dataset.at-least."
            if isinstance(card, Regrouped)
            else "Add images, or leave the class or the domain out.",
            tuple(lacking),
            harmless=isinstance(card, Regrouped),
        )


def _refused(card: Dataset) -> Iterator[Finding]:
    try:
        card.load()
    except InputError as error:
        yield Finding(str(error), "Until then no run will start.")
