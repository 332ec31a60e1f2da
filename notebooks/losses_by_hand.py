# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/jaxclr/jaxclr/blob/main/notebooks/losses_by_hand.ipynb)
#
# # Three losses by hand
#
# FixCLR, SSC and ADC are losses of vectors. Here the vectors are points on a circle, so that all a
# loss does can be seen: every arrow below is minus the gradient of one of jaxclr's functions.
# Nothing is trained, and half a minute on any machine is enough.

# %%
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere, jaxclr is there already
    from importlib.metadata import version

    kept = [f"{name}=={version(name)}" for name in ("jax", "jaxlib", "flax", "numpy")]
    package = "jaxclr @ git+https://github.com/jaxclr/jaxclr"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package, *kept], check=True)

# %%
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot as plt

from jaxclr.losses import (
    gaussian_t_calibration,
    local_preservation,
    masked_mean,
    negative_class_contrastive,
    semi_supervised_contrastive,
)

plt.rcParams.update({"figure.dpi": 100, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## Nine images
#
# Colour is the class, shape is the domain: one image of each class in each domain. Only the angle
# counts; each domain is drawn on a ring of its own, so that no point hides another. Classes meet at
# three places, and come closest at the top.

# %%
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # Okabe and Ito's, told apart by the colour-blind
MARKERS = ("o", "s", "^")
RINGS = (0.82, 0.95, 1.08, 1.21)  # of the three domains, and of what has none
DEGREES = np.array([[12.0, 50, 92], [108, 165, 206], [230, 285, 335]])  # a class a row
LABEL, DOMAIN = np.indices(DEGREES.shape, np.int32).reshape(2, -1)
START = jnp.deg2rad(DEGREES.ravel())


def on_circle(angle):
    """Unit vectors of angles."""
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)


def forces(term, angle):
    """Minus the gradient of a term in the angle of each point: positive is counter-clockwise."""
    return -np.asarray(jax.grad(lambda angle: term(on_circle(angle)))(angle))


def draw_point(axis, x, y, label, domain, unsure=False):
    """A point of a class and a domain; -1 is a prototype, which has none."""
    colour, prototype = COLOURS[label], domain < 0
    axis.plot(
        x, y, marker="*" if prototype else MARKERS[domain], markersize=16 if prototype else 9,
        markerfacecolor="white" if unsure else colour, markeredgewidth=1 if prototype else 1.8,
        markeredgecolor="black" if prototype else colour, zorder=3,
    )  # fmt: skip


def draw(
    axis, angle, term=None, title="", longest=None, label=LABEL, domain=DOMAIN, unsure=()
):  # fmt: skip
    """The points, and the arrows that a term gives them; the longest is told in the middle."""
    unit = np.asarray(on_circle(angle))
    for radius in RINGS[:3]:
        axis.add_patch(plt.Circle((0, 0), radius, fill=False, color="#dddddd", zorder=0))
    for i, (x, y) in enumerate(unit * np.take(RINGS, domain)[:, None]):
        draw_point(axis, x, y, label[i], domain[i], i in unsure)
    if term is not None:
        force = forces(term, angle)
        length = 0.5 * force / max(longest or np.abs(force).max(), 1e-9)
        along = unit[:, ::-1] * [-1, 1] * np.sign(force)[:, None]
        start = unit * np.take(RINGS, domain)[:, None] + 0.12 * along
        seen = np.abs(length) > 0.04
        axis.quiver(
            *start[seen].T, *(along * np.abs(length)[:, None])[seen].T, angles="xy",
            scale_units="xy", scale=1, width=0.014, headwidth=4, headlength=4, headaxislength=3.5,
            color="#303030", zorder=2,
        )  # fmt: skip
        axis.text(0, 0, f"{np.abs(force).max():.2g}", ha="center", va="center", color="#606060")
    axis.set(xlim=(-1.45, 1.45), ylim=(-1.45, 1.45), aspect="equal")
    axis.set_title(title, fontsize=11)
    axis.axis("off")


def panels(count, size=2.9):
    """A row of empty pictures."""
    _, axes = plt.subplots(1, count, figsize=(size * count, size + 0.2), layout="constrained")
    return np.atleast_1d(axes)


axis = panels(1, size=3.6)[0]
draw(axis, START)
for i in range(3):
    axis.plot([], [], "D", color=COLOURS[i], label=f"class {i}")
for i in range(3):
    axis.plot([], [], MARKERS[i], color="#707070", label=f"domain {i}")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()

# %% [markdown]
# ## FixCLR: classes push each other apart
#
# For class $j$ and domain $i$, let $A_j$ be all images of the class, of any domain, and $B_{ij}$
# those of domain $i$ that are of another class. With $s_{ab}$ the cosine of two images, $T$ the
# temperature, and $m$ how far an image's label is relied upon, the loss of the pair is
#
# $$\ell_{ji} =
#     \log\Big(1 + \sum_{a \in A_j} \sum_{b \in B_{ij}} m_a m_b \, e^{(s_{ab} - 1)/T}\Big)$$
#
# The term is the mean over all pairs. The table below has a class a row and a domain a column: the
# higher a number, the closer intruders of that domain come to the class.


# %%
def fixclr(points, trust=None, temperature=0.2, **settings):
    """FixCLR's loss of every class and domain, and which of these pairs there are."""
    trust = jnp.ones(len(points)) if trust is None else jnp.asarray(trust)
    return negative_class_contrastive(
        points, jnp.asarray(LABEL), jnp.asarray(DOMAIN), trust,
        num_classes=3, num_domains=3, temperature=temperature, **settings,
    )  # fmt: skip


def repulsion(points, *args, **settings):
    """FixCLR's term."""
    return masked_mean(*fixclr(points, *args, **settings))


loss, exists = fixclr(on_circle(START))
print(np.round(np.asarray(loss), 2))

# %% [markdown]
# Arrows say where the term moves each point; the number in the middle is the length of the longest,
# in nats per radian. Look at the borders: that is where classes part.
#
# The temperature says how far a class looks. At 0.05 only the nearest intruder matters; at 1 all
# do, and the arrows of the inner points grow.

# %%
for axis, temperature in zip(panels(3), (0.05, 0.2, 1.0), strict=True):

    def term(points, temperature=temperature):
        """The term at one temperature."""
        return repulsion(points, temperature=temperature)

    draw(axis, START, term, f"T = {temperature:g}")

# %% [markdown]
# One pair at a time, for class 0 (blue): the blue points of *all* domains and the intruders of
# *one* domain push each other. So a class is kept away from the others in every domain, and nothing
# asks images of one class to come together.

# %%
SHAPES = ("domain 0: circles", "domain 1: squares", "domain 2: triangles")
for i, axis in enumerate(panels(3)):

    def pair(points, i=i):
        """The loss of class 0 and one domain."""
        return fixclr(points)[0][0, i]

    draw(axis, START, pair, f"class 0 and {SHAPES[i]}")

# %% [markdown]
# Ten steps down the gradient, with arrows on one scale. The pushes fade as gaps open: once classes
# are well apart, FixCLR has nothing more to say.


# %%
def frames(term, rate, angle=START, shown=(0, 1, 3, 6, 10), **looks):
    """Ten steps of plain gradient descent as a series of pictures; returns where they end."""
    path = [angle]
    for _ in range(max(shown)):
        path.append(path[-1] + rate * forces(term, path[-1]))
    longest = max(np.abs(forces(term, angle)).max() for angle in path)
    for axis, step in zip(panels(len(shown)), shown, strict=True):
        value = float(term(on_circle(path[step])))
        draw(axis, path[step], term, f"step {step}, loss {value:.3f}", longest, **looks)
    return path[-1]


after_fixclr = frames(repulsion, rate=1.0)

# %% [markdown]
# **Lengths do not matter.** Vectors are scaled to length one inside the loss. So in the plane a
# gradient stands at right angles to its vector, and the shorter the vector, the longer the arrow:
# the same turn takes a smaller step.

# %%
lengths = jnp.array([1.0, 0.5, 1.4, 0.7, 1.0, 1.4, 1.3, 0.5, 0.9])
plane = lengths[:, None] * on_circle(START)
force = -jax.grad(repulsion)(plane)
axis = panels(1, size=3.6)[0]
for i, (x, y) in enumerate(plane):
    axis.plot([0, x], [0, y], color="#dddddd", zorder=0)
    draw_point(axis, x, y, LABEL[i], DOMAIN[i])
axis.quiver(
    *plane.T, *force.T, angles="xy", scale_units="xy", scale=0.3, width=0.01, color="#303030",
    zorder=2,
)  # fmt: skip
axis.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), aspect="equal")
axis.set(xlabel="first coordinate", ylabel="second coordinate")
plt.show()

# %% [markdown]
# **Its margin.** The push between two lone images is $1 / (T (1 + e^{(1 - s)/T}))$ in their cosine.
# Below, the same in their angle: it is 0 where they coincide (there is no way to turn), largest at
# some angle, and then fades. A low temperature gives a strong push and a narrow margin.


# %%
def push(degrees, temperature):
    """The force between two images of two classes, by the angle between them."""

    def loss(angle):
        points = on_circle(jnp.stack([jnp.zeros(()), angle]))
        pair, _ = negative_class_contrastive(
            points, jnp.array([0, 1]), jnp.zeros(2, int), jnp.ones(2),
            num_classes=2, num_domains=1, temperature=temperature,
        )  # fmt: skip
        return pair[0, 0]

    return -jax.vmap(jax.grad(loss))(jnp.deg2rad(degrees))


LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"))
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
degrees = np.linspace(0, 180, 361)
for temperature, (colour, line) in zip((0.05, 0.1, 0.2, 1.0), LINES, strict=True):
    axis.plot(degrees, push(degrees, temperature), line, color=colour, label=f"T = {temperature:g}")
axis.set(xlabel="angle between two images, degrees", ylabel="push, nats per radian")
axis.set(xticks=range(0, 181, 30), ylim=(0, None))
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# **Who is relied upon.** Hollow points have a guessed label that nobody relies upon ($m = 0$): they
# neither push nor are pushed. With nobody left the loss is 0, and so is its gradient: no division
# by zero, and a step that changes nothing.

# %%
for axis, trusted, title in zip(
    panels(3),
    (np.ones(9), (DOMAIN == 0).astype(float), np.zeros(9)),
    ("all relied upon", "domain 0 alone", "nobody"),
    strict=True,
):

    def term(points, trusted=trusted):
        """The term with this trust."""
        return repulsion(points, trusted)

    value = float(term(on_circle(START)))
    draw(axis, START, term, f"{title}: loss {value:.3f}", unsure=np.flatnonzero(trusted == 0))

# %% [markdown]
# ## SSC: one contrast for labels, guesses and prototypes
#
# Each class has a trainable prototype (stars), which stands among the examples. With $P(a)$ all
# others of the label of $a$, $w_a$ its weight and $N$ the number of anchors, prototypes included,
#
# $$\ell_a = \frac{w_a N}{\sum_b w_b} \cdot \frac{-1}{|P(a)|} \sum_{p \in P(a)}
#     \log \frac{e^{s_{ap} / T}}{\sum_{b \ne a} e^{s_{ab} / T}}$$
#
# So images of one label pull each other, and all others push. An image whose guess is not trusted
# is not left out: it gets a label of its own, which only its other view has. Below, its two views
# are hollow. Look at the left picture and the middle one: trusted, the image is drawn to its
# prototype; not trusted, its views are drawn to each other.

# %%
UNSURE = 3
PROTOTYPES = jnp.deg2rad(jnp.array([75.0, 190, 300]))
WITH_VIEW = jnp.concatenate([START, START[UNSURE : UNSURE + 1] + 0.25, PROTOTYPES])
SEEN = dict(
    label=np.concatenate([LABEL, LABEL[[UNSURE]], np.arange(3)]),
    domain=np.concatenate([DOMAIN, DOMAIN[[UNSURE]], np.full(3, -1)]),
    unsure=(UNSURE, 9),
)


def unified(points, trusted=False, temperature=0.1):
    """SSC's term; the last three points are the prototypes."""
    examples, prototypes = points[:-3], points[-3:]
    label = np.append(LABEL, LABEL[UNSURE])
    unsure = np.isin(np.arange(10), SEEN["unsure"]) & (not trusted)
    own = np.where(unsure, 3 + UNSURE, label)
    weight = np.where(unsure, 0.2, 1.0)
    return masked_mean(
        *semi_supervised_contrastive(
            examples, jnp.asarray(own), jnp.asarray(weight), prototypes, temperature=temperature
        )
    )


shown = panels(3)
draw(shown[0], WITH_VIEW, unified, "not trusted, T = 0.1", **SEEN)
draw(
    shown[1], WITH_VIEW, lambda points: unified(points, trusted=True), "trusted, T = 0.1",
    **{**SEEN, "unsure": ()},
)  # fmt: skip
draw(
    shown[2], WITH_VIEW, lambda points: unified(points, temperature=0.5), "not trusted, T = 0.5",
    **SEEN,
)  # fmt: skip

# %% [markdown]
# Ten steps. Classes gather around their prototypes, which come to meet them. The views of the image
# that is not trusted come together, and keep off everything else.

# %%
after_ssc = frames(unified, rate=0.1, angle=WITH_VIEW, **SEEN)

# %% [markdown]
# **Nobody trusted** is no special case: every image has a label of its own, and the loss is one of
# instances. A prototype whose class is absent has no positive; its loss is 0 and it is left out of
# the mean.

# %%
alone, counts = semi_supervised_contrastive(
    on_circle(START), jnp.arange(3, 12), jnp.full(9, 0.2), on_circle(PROTOTYPES)
)
print("losses of nine images without a second view, and of three prototypes:")
print(np.asarray(alone))
print("anchors that count:", int(counts.sum()), " mean:", float(masked_mean(alone, counts)))

# %% [markdown]
# ## ADC: near ones nearer, far ones farther
#
# ADC knows no classes. Each image has two neighbourhoods, which are distributions over all the
# others by their distance $d$: a Gaussian, and Student's t with $\rho$ degrees of freedom.
#
# $$G_i(j) \propto e^{-d_{ij}^2 / 2\sigma^2}, \qquad
# S_i(j) \propto \Big(1 + \frac{d_{ij}^2}{\rho\sigma^2}\Big)^{-(\rho + 1)/2}, \qquad
# \ell_i = \sum_{j \ne i} G_i(j) \log \frac{G_i(j)}{S_i(j)}$$
#
# The Gaussian is held fixed, and the t is to become like it. Left: both, over images spread evenly
# around one. Right: the force. Where the Gaussian is the larger, images are pulled in, and where
# the t is, they are pushed off. The distance where the force changes its sign is the margin: nobody
# chose it; it comes out of $\sigma$ and of who is in the batch.

# %%
AROUND = jnp.deg2rad(jnp.arange(2.0, 181, 2))
SCALE2, DOF = 0.5, 3.0
distance2 = np.asarray(2 - 2 * jnp.cos(AROUND))
gaussian = np.exp(-distance2 / (2 * SCALE2))
student = (1 + distance2 / (DOF * SCALE2)) ** (-(DOF + 1) / 2)


def of_first(angle, dof):
    """ADC's loss of an image at 0 degrees."""
    points = on_circle(jnp.concatenate([jnp.zeros(1), angle]))
    return gaussian_t_calibration(points, scale2=SCALE2, dof=dof)[0]


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
degrees = np.rad2deg(AROUND)
left.plot(degrees, gaussian / gaussian.sum(), "-", color="#0072B2", label="Gaussian")
left.plot(degrees, student / student.sum(), "--", color="#D55E00", label="Student's t")
left.set(xlabel="angle to the image, degrees", ylabel="share of the neighbourhood", ylim=(0, None))
for dof, (colour, line) in zip((3.0, 5.0, 10.0, 30.0), LINES, strict=True):
    force = -1000 * jax.grad(of_first)(AROUND, dof)
    right.plot(degrees, force, line, color=colour, label=f"$\\rho$ = {dof:g}")
right.axhline(0, color="#707070", linewidth=0.8)
right.set(xlabel="angle to the image, degrees", ylabel="force, nats / 1000 per radian")
right.text(178, -0.4, "below 0: pulled in", ha="right", color="#505050")
for axis in (left, right):
    axis.set_xticks(range(0, 181, 30))
    axis.legend(frameon=False)
plt.show()

# %% [markdown]
# With more degrees of freedom, the t comes near to the Gaussian, and there is less to do.
#
# On the nine images, the sum over all of them pulls neighbours together **over the border of
# classes, too**. What stands against that is the second part of ADC: a frozen encoder, trained
# before, has neighbourhoods of its own, and these are to be kept. Here it is one that sees the
# class and not the domain.

# %%
PRIOR = on_circle(jnp.deg2rad(DEGREES[:, 1]))[LABEL]


def calibration(points):
    """ADC's first term."""
    return gaussian_t_calibration(points).sum()


def preservation(points):
    """ADC's second term."""
    return local_preservation(points, PRIOR).sum()


def both(points):
    """The two of them."""
    return calibration(points) + preservation(points)


for axis, term in zip(panels(3), (calibration, preservation, both), strict=True):
    draw(axis, START, term, term.__name__)

# %% [markdown]
# Ten steps of the calibration alone, then ten of both.

# %%
after_calibration = frames(calibration, rate=1.0)
after_both = frames(both, rate=0.3)

# %% [markdown]
# **Too few.** A neighbourhood of one image is always the same, so with fewer than three images the
# loss is 0.

# %%
print("two images:  ", gaussian_t_calibration(on_circle(START[:2])))
print("three images:", gaussian_t_calibration(on_circle(START[:3])))

# %% [markdown]
# ## Ten steps of each, side by side

# %%
shown = panels(4)
draw(shown[0], START, title="before")
draw(shown[1], after_fixclr, title="FixCLR")
draw(shown[2], after_ssc, title="SSC", **SEEN)
draw(shown[3], after_both, title="ADC, both terms")

# %% [markdown]
# | | pulls | pushes | knows | nobody trusted |
# |---|---|---|---|---|
# | FixCLR | nothing | classes, in each domain | labels, trusted guesses | no force |
# | SSC | images of a label, its prototype | all else | labels, guesses, views | views attract |
# | ADC | near images, those near for the frozen encoder | far images | no labels | as ever |
#
# In training these terms are added to others, which you find in `jaxclr.methods`: FixCLR to a
# cross-entropy on labels and trusted guesses, ADC to any method. All formulas:
# [docs/losses.md](https://github.com/jaxclr/jaxclr/blob/main/docs/losses.md). Next:
# [quickstart](https://github.com/jaxclr/jaxclr/blob/main/notebooks/quickstart.ipynb) trains them.
