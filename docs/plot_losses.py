"""Draws what the losses do to points on a circle: ``python docs/plot_losses.py [FOLDER]``.

The points stand for unit features of three classes in three domains, which overlap a little. Every
arrow is minus the gradient of a term, by ``jax.grad``, in the angle of its point: where the term
by itself would move that point. Into FOLDER, by default ``docs/losses``, go ``forces.png`` and
``profiles.png``.
"""

import dataclasses
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

from jaxclr.losses import (
    gaussian_t_calibration,
    local_preservation,
    masked_mean,
    negative_class_contrastive,
    nt_xent,
    semi_supervised_contrastive,
    supervised_contrastive,
)

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import ArrowStyle, ConnectionStyle, FancyArrowPatch

# Okabe and Ito's colours, told apart by the colour-blind; domains and lines differ in shape.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^")
LINES = ("-", "--", "-.", ":")
GREY, DARK = "#808080", "#303030"

DEGREES = np.array([[12.0, 50, 90], [109, 165, 206], [230, 285, 335]])
"""Where the image of each class (row) and domain (column) is."""
LABEL, DOMAIN = np.indices(DEGREES.shape, np.int32).reshape(2, -1)
APART = 5.0
"""Two views of one image are so many degrees from where the image is."""
UNSURE, PROTOTYPES = 4, np.array([71.0, 187, 299])
"""In SSC's panel: the image whose guess is not trusted, and where the prototypes are."""
LONGEST, SHORTEST = 0.32, 0.0128
"""Arrows in radians: a panel's longest, and the shortest that is drawn."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """A term on points of the circle."""

    title: str
    term: Callable[[jax.Array], jax.Array]
    """From unit vectors to the term's value."""
    degrees: np.ndarray = dataclasses.field(default_factory=DEGREES.ravel)
    label: np.ndarray = dataclasses.field(default_factory=lambda: LABEL)
    domain: np.ndarray = dataclasses.field(default_factory=lambda: DOMAIN)
    """-1: the prototype of its class."""
    hollow: tuple[int, ...] = ()
    """Points whose class is not trusted."""
    joined: tuple[tuple[int, int], ...] = ()
    """Points that are views of one image."""


def on_circle(angle: jax.Array) -> jax.Array:
    """Unit vectors of angles."""
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)


def forces(panel: Panel) -> np.ndarray:
    """Minus the term's gradient in the angle of each point; positive ones are counter-clockwise."""
    gradient = jax.grad(lambda angle: panel.term(on_circle(angle)))
    return -np.asarray(gradient(jnp.deg2rad(panel.degrees)))


def repulsion(points: jax.Array, **settings: Any) -> jax.Array:
    """FixCLR's term: the mean over pairs of a class and a domain."""
    given = jnp.asarray(LABEL), jnp.asarray(DOMAIN), jnp.ones(len(LABEL))
    loss, exists = negative_class_contrastive(
        points, *given, num_classes=3, num_domains=3, **settings
    )
    return masked_mean(loss, exists)


def attraction_by_label(points: jax.Array) -> jax.Array:
    """SupCon's term: the mean over anchors."""
    loss, counts = supervised_contrastive(points, jnp.asarray(LABEL), jnp.ones(len(LABEL)))
    return masked_mean(loss, counts)


def unified(points: jax.Array, label: np.ndarray, weight: np.ndarray) -> jax.Array:
    """SSC's term: the mean over anchors that have a positive, the last three being prototypes."""
    given = jnp.asarray(label), jnp.asarray(weight)
    loss, counts = semi_supervised_contrastive(points[:-3], *given, points[-3:])
    return masked_mean(loss, counts)


def instances(points: jax.Array, *, decoupled: bool) -> jax.Array:
    """SimCLR's term: the mean over images, of which the second half of the points are views."""
    return nt_xent(*jnp.split(points, 2), decoupled=decoupled).mean()


def preservation(points: jax.Array) -> jax.Array:
    """ADC's second term, by an encoder that sees the class of an image and not its domain."""
    prior = on_circle(jnp.deg2rad(DEGREES[:, 1]))[LABEL]
    return local_preservation(points, prior).sum()


def two_views(title: str, *, decoupled: bool) -> Panel:
    """A panel in which each image is there twice."""
    images = len(LABEL)
    return Panel(
        title,
        partial(instances, decoupled=decoupled),
        np.concatenate([DEGREES.ravel() - APART, DEGREES.ravel() + APART]),
        np.tile(LABEL, 2),
        np.tile(DOMAIN, 2),
        joined=tuple((i, i + images) for i in range(images)),
    )


def with_prototypes(title: str) -> Panel:
    """SSC's panel: one image is there by two views, whose guess is not trusted."""
    images = len(LABEL)
    degrees = np.concatenate([DEGREES.ravel(), DEGREES.ravel()[[UNSURE]] + APART, PROTOTYPES])
    degrees[UNSURE] -= APART
    seen = np.concatenate([LABEL, LABEL[[UNSURE]]])
    unsure = np.isin(np.arange(images + 1), (UNSURE, images))
    label = np.where(unsure, np.int32(3 + UNSURE), seen)
    return Panel(
        title,
        partial(unified, label=label, weight=np.where(unsure, 0.2, 1.0)),
        degrees,
        np.concatenate([seen, np.arange(3)]),
        np.concatenate([DOMAIN, DOMAIN[[UNSURE]], np.full(3, -1)]),
        hollow=(UNSURE, images),
        joined=((UNSURE, images),),
    )


def panels() -> list[Panel]:
    """All terms, in the order in which they are drawn."""
    return [
        Panel("FixCLR, T = 0.1", partial(repulsion, temperature=0.1)),
        Panel("FixCLR, T = 0.5", partial(repulsion, temperature=0.5)),
        Panel("FixCLR, T = 0.1, attraction 1", partial(repulsion, attraction=1.0)),
        Panel("FixCLR, T = 0.1, group means", partial(repulsion, reading="group_means")),
        Panel("FixCLR, T = 0.1, anchors", partial(repulsion, reading="anchors")),
        Panel("SupCon, T = 0.1", attraction_by_label),
        with_prototypes("SSC, T = 0.1"),
        two_views("NT-Xent, T = 0.5", decoupled=False),
        two_views("DCL, T = 0.5", decoupled=True),
        Panel("ADC: calibration", lambda points: gaussian_t_calibration(points).sum()),
        Panel("ADC: local preservation", preservation),
    ]


def draw_panel(axis: Axes, panel: Panel) -> None:
    """The points on their circle, and beside each, along the circle, its arrow."""
    angle, force = np.deg2rad(panel.degrees), forces(panel)
    x, y = np.cos(angle), np.sin(angle)
    around = np.linspace(0, 2 * np.pi, 200)
    axis.plot(np.cos(around), np.sin(around), color="#d0d0d0", lw=1, zorder=0)
    # Arrows of two views of one image point at each other: one of them has a lane of its own.
    outer = [other for _, other in panel.joined]
    for i, arc in enumerate(LONGEST * force / np.abs(force).max()):
        draw_arrow(axis, angle[i], arc, radius=1.34 if i in outer else 1.19)
    for pair in panel.joined:
        axis.plot(0.9 * x[[*pair]], 0.9 * y[[*pair]], color=GREY, lw=1.5, zorder=1)
    for i in range(len(x)):
        axis.plot(x[i], y[i], **point(panel.label[i], panel.domain[i], i in panel.hollow), zorder=3)
    axis.set_title(panel.title, fontsize=11)
    axis.text(0, 0, f"{np.abs(force).max():.2g}", ha="center", va="center", color=GREY)


def draw_arrow(axis: Axes, angle: float, arc: float, radius: float) -> None:
    """An arrow along a circle around the points, from an angle on; none if not to be seen."""
    if abs(arc) < SHORTEST:
        return
    ends = [(radius * np.cos(a), radius * np.sin(a)) for a in (angle, angle + arc)]
    style = ArrowStyle("-|>", head_length=0.5, head_width=0.25)
    bow = ConnectionStyle("arc3", rad=np.tan(arc / 4))
    axis.add_patch(
        FancyArrowPatch(
            *ends, arrowstyle=style, connectionstyle=bow, shrinkA=0, shrinkB=0, color=DARK, lw=1.6,
            mutation_scale=14 * np.clip(abs(arc) / 0.2, 0.3, 1), zorder=2,
        )
    )  # fmt: skip


def point(label: int, domain: int, hollow: bool = False) -> dict[str, Any]:
    """How a point looks."""
    return dict(
        linestyle="none",
        color=COLOURS[label],
        marker=MARKERS[domain] if domain >= 0 else "*",
        markersize=8 if domain >= 0 else 14,
        markerfacecolor="white" if hollow else COLOURS[label],
        markeredgecolor=COLOURS[label] if hollow or domain >= 0 else "black",
        markeredgewidth=1.6 if hollow else 0.8,
    )


def draw_legend(axis: Axes) -> None:
    """What colours, shapes and lines mean."""
    plain: dict[str, Any] = dict(linestyle="none", color=GREY, markersize=8)
    entries = [
        *(Line2D([], [], **point(c, 0), label=f"class {c}") for c in range(3)),
        *(Line2D([], [], marker=m, **plain, label=f"domain {i}") for i, m in enumerate(MARKERS)),
        Line2D([], [], marker="*", **{**plain, "markersize": 14}, label="prototype of a class"),
        Line2D([], [], marker="o", **plain, mfc="white", mew=1.6, label="guess not trusted"),
        Line2D([], [], color=GREY, lw=1.5, label="two views of one image"),
        Line2D([], [], linestyle="none", marker=r"$\rightarrow$", color=DARK, markersize=16,
               label="minus the gradient; in the\ncircle: the longest, nats/rad"),
    ]  # fmt: skip
    axis.legend(handles=entries, loc="center", frameon=False, fontsize=11, labelspacing=0.55)


def draw_forces(out: Path) -> None:
    """The picture of all terms."""
    drawn = panels()
    figure, axes = plt.subplots(4, 3, figsize=(9, 12.6))
    figure.set_layout_engine(ConstrainedLayoutEngine(h_pad=0.1))
    for axis in axes.flat:
        axis.set(xlim=(-1.45, 1.45), ylim=(-1.45, 1.45), aspect="equal")
        axis.axis("off")
    for axis, panel in zip(axes.flat, drawn, strict=False):
        draw_panel(axis, panel)
    draw_legend(axes.flat[len(drawn)])
    save(figure, out)


def force_of_calibration(degrees: np.ndarray, dof: float) -> np.ndarray:
    """Minus the slope of ADC's loss of one example in the distance of each other one."""

    def loss(angle: jax.Array) -> jax.Array:
        points = on_circle(jnp.concatenate([jnp.zeros(1), angle]))
        return gaussian_t_calibration(points, dof=dof)[0]

    angle = jnp.deg2rad(degrees)
    return -np.asarray(jax.grad(loss)(angle) / jnp.cos(angle / 2))


def weight_of_pair(cosine: np.ndarray, temperature: float) -> np.ndarray:
    """The slope of FixCLR's loss of one pair of examples in their cosine."""

    def loss(angle: jax.Array) -> jax.Array:
        both = jnp.array([0, 1]), jnp.zeros(2, int), jnp.ones(2)
        points = on_circle(jnp.stack([jnp.zeros(()), angle]))
        values, _ = negative_class_contrastive(
            points, *both, num_classes=2, num_domains=1, temperature=temperature
        )
        return values[0, 0]

    angle = jnp.arccos(cosine)
    return np.asarray(-jax.vmap(jax.grad(loss))(angle) / jnp.sin(angle))


def draw_profiles(out: Path) -> None:
    """The picture of how strongly two examples act on each other."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    degrees, cosine = np.arange(1.0, 180), np.linspace(-0.99, 0.99, 199)
    for dof, colour, line in zip((3.0, 5.0, 10.0, 30.0), COLOURS, LINES, strict=True):
        distance, force = 2 * np.sin(np.deg2rad(degrees) / 2), force_of_calibration(degrees, dof)
        left.plot(distance, 1000 * force, line, color=colour, label=f"{dof:g}")
    for temperature, colour, line in zip((0.1, 0.2, 0.5, 1.0), COLOURS, LINES, strict=True):
        weight = weight_of_pair(cosine, temperature)
        right.plot(cosine, weight, line, color=colour, label=f"{temperature:g}")
    left.axhline(0, color=GREY, lw=0.8)
    left.text(2, -0.2, "pulled in below 0,\npushed off above", ha="right", va="top", color=GREY)
    left.set(title="ADC's calibration: force of an anchor", xlabel="distance")
    left.set(ylabel="minus the slope in the distance, nats / 1000")
    left.legend(title="degrees of freedom", frameon=False, ncols=2)
    right.set(title="FixCLR: weight of one pair", xlabel="cosine", yscale="log")
    right.set(xticks=(-1, -0.5, 0, 0.5, 1), ylabel="slope in the cosine, nats")
    right.legend(title="temperature", frameon=False)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    save(figure, out)


def save(figure: Figure, out: Path) -> None:
    """Writes a picture that is the same whenever it is drawn."""
    figure.savefig(out, dpi=130, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("losses")
    draw_forces(folder / "forces.png")
    draw_profiles(folder / "profiles.png")
