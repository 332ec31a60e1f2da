"""What is wrong with the files and lists of a data set, before any image is opened."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from jaxclr.errors import InputError
from jaxclr.pipeline.benchmark import is_there
from jaxclr.pipeline.contents import Contents
from jaxclr.pipeline.folds import Line, located, read_lists
from jaxclr.pipeline.listing import Listing, without_suffix
from jaxclr.pipeline.source import ImageFolders


class Finding(NamedTuple):
    """Something worth telling about a data set.

    Attributes:
        what: What it is, and of how many images.
        advice: What to do about it.
        examples: Images or files that it is about.
        harmless: Whether it may stay as it is.
    """

    what: str
    advice: str
    examples: tuple[str, ...] = ()
    harmless: bool = False


def images(count: int) -> str:
    """How many images."""
    return f"{count:,} image{'s' if count != 1 else ''}"


def of_files(card: ImageFolders, there: Contents, listing: Listing) -> Iterator[Finding]:
    """Says which folders and files are missing, or do not belong there."""
    if lacking := [part.domain for part in there.parts if not part.paths]:
        yield Finding(
            f"Domains without an image: {len(lacking)}.",
            f"Expected is {card.layout}. {card.how_to_get}",
            tuple(lacking),
        )
    strange = Counter(
        member.folder
        for member in listing.members
        if card.class_name(member.folder) not in there.classes
    )
    if strange:
        yield Finding(
            f"Folders that are no class: {len(strange)}, with {images(strange.total())}.",
            "Rename them, if they were renamed, or move them elsewhere.",
            tuple(sorted(strange)),
        )
    absent = [member.path for member in listing.members if not is_there(member)]
    if absent:
        yield Finding(
            f"Listed or linked to, and not there: {images(len(absent))}.",
            "Unpack the published archive anew, or remove the links.",
            tuple(absent),
        )
    if there.bad:
        yield Finding(
            f"Known to be bad, and never used: {images(len(there.bad))}.",
            "Nothing is to be done.",
            tuple(member.path for member in there.bad),
            harmless=True,
        )


def of_lists(card: ImageFolders, there: Contents, listing: Listing) -> Iterator[Finding]:
    """Says where lists of training images disagree with the folders."""
    missing, wrong, unlisted = [], [], []
    shifts: Counter[int] = Counter()
    label = {name: number for number, name in enumerate(there.classes)}
    for part in there.parts:
        members = [m for m in listing.members if m.domain == part.domain and is_there(m)]
        right = {m.path: label.get(card.class_name(m.folder), -1) for m in members}
        try:
            lists = read_lists(listing.texts, card.lists, part.domain)
        except InputError as error:
            yield Finding(str(error), "Replace the list by the published one.")
            continue
        found = located(members, lists)
        missing += _missing(card, lists, found)
        for fold, lines in lists.items():
            file = card.lists.pattern.format(domain=part.domain, fold=fold)
            for line in lines:
                path = found[line]
                if path is not None and line.label != right[path]:
                    shifts[line.label - right[path]] += 1
                    first = card.lists.first_label
                    told = f"{line.label + first} instead of {right[path] + first}"
                    wrong.append(f"{file}: {line.path} ({told})")
                elif path is not None:
                    shifts[0] += 1
        if "test" in lists:
            unlisted += sorted(set(part.paths) - set(found.values()))
    yield from _told_of_lists(missing, wrong, unlisted, shifts)


def _missing(
    card: ImageFolders, lists: Mapping[str, Sequence[Line]], found: Mapping[Line, str | None]
) -> list[str]:
    """Lines without an image, each image once."""
    lines = (line for lines in lists.values() for line in lines if found[line] is None)
    return sorted({line.path for line in lines if without_suffix(line.path) not in card.left_out})


def _told_of_lists(
    missing: Sequence[str], wrong: Sequence[str], unlisted: Sequence[str], shifts: Counter[int]
) -> Iterator[Finding]:
    if missing:
        yield Finding(
            f"In the lists, and not there: {images(len(missing))}.",
            "Unpack the published archive anew, whole and into an empty folder.",
            tuple(missing),
        )
    if wrong:
        all_by = next(iter(shifts)) if len(shifts) == 1 else 0
        yield Finding(
            f"Lists and folders disagree about the label: {images(len(wrong))}."
            + (f" All are off by {all_by:+d}." if all_by else ""),
            "Replace the lists by the published ones; the folders say which class an image is of.",
            tuple(wrong),
        )
    if unlisted:
        yield Finding(
            f"In no list, and not used: {images(len(unlisted))}.",
            "Nothing is to be done, if these are no more than the published lists leave out.",
            tuple(unlisted),
            harmless=True,
        )
