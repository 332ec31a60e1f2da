"""Maps of the features of all domains, as t-SNE lays them out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxclr.records import Features, Record
from jaxclr.report.colors import LIGHT, SMALL, Style, look, point_style
from jaxclr.report.figures.panels import WIDTH, new_figure
from jaxclr.report.figures.words import all_fitted, fitted

POINTS = 1000
"""Most images of a map."""
SHOWN = 10
"""Most classes that are told apart."""
PERPLEXITY = 30.0
"""Where there are few images, a third of the others instead, the most that t-SNE takes."""
ROOM = 80.0
"""For a name in a legend, in points."""
RING, NO_RING = ("black", 0.7), ("none", 0.0)
NOWHERE = np.zeros((0, 2))
OTHERS = -1


class Map(NamedTuple):
    """Where the images of one experiment lie, and what they are."""

    name: str
    place: Float[np.ndarray, "m 2"]
    kinds: Mapping[str, Int[np.ndarray, " m"]]
    """The ``class`` and the ``domain`` of each."""
    target: int
    """The domain that is outlined."""


class Group(NamedTuple):
    """Points that look alike."""

    name: str
    value: int
    """Of the class or domain; ``OTHERS`` for all that have no group."""
    how: Style


@look()
def maps(records: Mapping[str, Record]) -> Figure | None:
    """Features of all domains in the plane, by class and by domain, told by color and shape.

    Each experiment's features are laid out for themselves, so only what is near or apart within a
    map means something. Points of the target are outlined. Of more than ten classes, the ten with
    most images are told apart, and the others are grey.

    Args:
        records: One run of each experiment, on the same target; those without features, or with
            fewer than four, are left out.

    Returns:
        None where none is left.

    References:
        Figure 1 of Son, Rezaei, Liu, `FixCLR <https://arxiv.org/abs/2506.20841>`_, 2025; van der
        Maaten and Hinton, Visualizing Data using t-SNE, 2008. That the features are taken as they
        are, without scaling, is ours.
    """
    found = [
        _map(name, record.features)
        for name, record in records.items()
        if record.features is not None and len(record.features.label) > 3
    ]
    if not found:
        return None
    results = next(iter(records.values())).results
    groups = {
        "class": _class_groups(found, results["classes"]),
        "domain": _domain_groups(results["domains"]),
    }
    rows = _rows(found)
    figure = new_figure(
        WIDTH, 3.9 * len(rows) + 0.5, f"t-SNE of the features, target: {results['target']}"
    )
    for row, cells in enumerate(rows):
        for column, (drawn, kind) in enumerate(cells):
            panel = figure.add_subplot(len(rows), 2, 2 * row + column + 1)
            _draw(panel, drawn, kind, groups[kind])
            # One legend at the end of a row, or behind each panel where they differ.
            if column + 1 == len(cells) or cells[column + 1][1] != kind:
                _legend(panel, kind, groups[kind], results["target"])
    return figure


def place(features: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m 2"]:
    """Lays features out in the plane by t-SNE, the same way each time.

    It starts from the two first principal components.

    Args:
        features: Of at least four images. Where all are alike, all are put at the origin.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if (features == features[0]).all():
        return np.zeros((len(features), 2))
    # A single feature has no second component.
    wide = np.pad(features, ((0, 0), (0, max(0, 2 - features.shape[1]))))
    perplexity = min(PERPLEXITY, (len(wide) - 1) / 3)
    # Its threads wait for each other all the time: where others work too, one is far faster.
    with threadpool_limits(1):
        return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(wide)


def _map(name: str, sample: Features) -> Map:
    # Evenly spaced, so that every domain keeps its share.
    count = len(sample.label)
    some = np.linspace(0, count - 1, min(count, POINTS)).astype(int)
    kinds = {"class": sample.label[some], "domain": sample.domain[some]}
    return Map(name, place(sample.features[some]), kinds, int(sample.domain.max()))


def _class_groups(found: Sequence[Map], classes: Sequence[str]) -> list[Group]:
    label = np.concatenate([each.kinds["class"] for each in found])
    images = np.bincount(label[label >= 0], minlength=len(classes))
    largest = sorted(np.argsort(-images, kind="stable")[:SHOWN].tolist())
    names = all_fitted(classes, ROOM, size=SMALL)
    groups = [Group(names[of], of, point_style(i)) for i, of in enumerate(largest)]
    left = len(classes) - len(largest)
    unknown = bool((label < 0).any())
    if left or unknown:
        name = "all others" if left and unknown else f"{left} others" if left else "unknown"
        groups.insert(0, Group(name, OTHERS, Style(LIGHT, ".")))
    return groups


def _domain_groups(domains: Sequence[str]) -> list[Group]:
    names = all_fitted(domains, ROOM, size=SMALL)
    return [Group(name, i, point_style(i)) for i, name in enumerate(names)]


def _rows(found: Sequence[Map]) -> list[list[tuple[Map, str]]]:
    """One experiment's two maps beside each other; of more, two experiments'."""
    if len(found) == 1:
        return [[(found[0], "class"), (found[0], "domain")]]
    pairs = [found[start : start + 2] for start in range(0, len(found), 2)]
    return [[(each, kind) for each in pair] for pair in pairs for kind in ("class", "domain")]


def _draw(panel: Axes, drawn: Map, kind: str, groups: Sequence[Group]) -> None:
    value = drawn.kinds[kind]
    told = [group.value for group in groups if group.value != OTHERS]
    ringed = drawn.kinds["domain"] == drawn.target
    for group in groups:
        own = ~np.isin(value, told) if group.value == OTHERS else value == group.value
        # The target's points lie above the others of their group.
        for chosen, ring in ((own & ~ringed, NO_RING), (own & ringed, RING)):
            panel.add_line(_points(group, ring, drawn.place[chosen]))
    panel.autoscale_view()
    panel.set(xticks=[], yticks=[], box_aspect=0.9)
    panel.spines[:].set_visible(True)
    panel.set_title(fitted(f"{drawn.name}, by {kind}", 250.0))


def _legend(panel: Axes, kind: str, groups: Sequence[Group], target: str) -> None:
    """To the right of a panel, where it covers no point."""
    name = fitted(f"target: {target}", ROOM, size=SMALL)
    outlined = Group(name, OTHERS, Style("white", "o"))
    handles = [*(_points(group, NO_RING) for group in groups), _points(outlined, RING)]
    names = [*(group.name for group in groups), outlined.name]
    drawn = panel.legend(
        handles, [str(i) for i in range(len(names))], title=kind, fontsize=SMALL,
        loc="upper left", bbox_to_anchor=(1, 1), handletextpad=0.2, alignment="left",
    )  # fmt: skip
    for text, name in zip(drawn.get_texts(), names, strict=True):
        text.set_text(name)


def _points(
    group: Group, ring: tuple[str, float], where: Float[np.ndarray, "m 2"] = NOWHERE
) -> Line2D:
    return Line2D(
        *where.T, linestyle="", marker=group.how.marker, color=group.how.color,
        markersize=4.0 if group.value == OTHERS else 5.0,
        markeredgecolor=ring[0], markeredgewidth=ring[1],
    )  # fmt: skip
