# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/jaxclr/jaxclr/blob/main/notebooks/quickstart.ipynb)
#
# # Digits in ten minutes
#
# A network learns digits from three looks, with ten labels per class in each, and is tested on a
# fourth look that it has never seen. This is semi-supervised domain generalization, and this
# notebook goes from the images to the results. It runs on a processor, a GPU or a TPU; nothing is
# downloaded but jaxclr itself.

# %%
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere, jaxclr is there already
    from importlib.metadata import version

    kept = [f"{name}=={version(name)}" for name in ("jax", "jaxlib", "flax", "numpy")]
    package = "jaxclr @ git+https://github.com/jaxclr/jaxclr"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package, *kept], check=True)

# %% [markdown]
# With `JAXCLR_SMALL=1` in the environment, as in the project's own checks, the network is narrower
# and training is a few steps long: everything works, and nothing is learned.

# %%
import logging
import os
import tempfile
from pathlib import Path

# Grain tells, when it is imported, that it cannot profile itself with some versions of JAX.
logging.getLogger("absl").setLevel(logging.ERROR)

import jax
import numpy as np
from matplotlib import pyplot as plt

from jaxclr.data.digits import Digits
from jaxclr.evaluation import make_predict, over_images
from jaxclr.main import load_experiment, main
from jaxclr.pipeline.augment import digits
from jaxclr.pipeline.split import draw_split
from jaxclr.records import Features, read_record
from jaxclr.report.figures import confusion, curves, embedding, pseudo_labels
from jaxclr.saved import read_saved
from jaxclr.tables import markdown, summarise
from jaxclr.training.layout import make_layout

SMALL = os.environ.get("JAXCLR_SMALL") == "1"
STEPS, WIDTH = (8, 8) if SMALL else (200, 64)
TARGET = "print"
WORKDIR = Path(tempfile.mkdtemp())
print(jax.devices())

# %% [markdown]
# ## The images
#
# Four domains: scanned handwriting, the same over textures, its outlines, and printed fonts. They
# are made in memory, and are the same on every machine.

# %%
collection = Digits().load()
domains = {domain.name: domain for domain in collection.domains}
figure, axes = plt.subplots(len(domains), 10, figsize=(8, 3.4), layout="constrained")
for row, domain in zip(axes, domains.values(), strict=True):
    for label, axis in enumerate(row):
        axis.imshow(domain.images[int(np.flatnonzero(domain.label == label)[3])])
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(domain.name)
for label, axis in enumerate(axes[0]):
    axis.set_title(collection.classes[label])
plt.show()

# %% [markdown]
# ## What is labeled
#
# `print` is held out: no image of it is seen in training. In each of the others, ten images of each
# class keep their label, drawn by the seed. The rest is used, but what it shows is hidden.

# %%
sources = tuple(domain for name, domain in domains.items() if name != TARGET)
split = draw_split(sources, collection.classes, labels_per_class=10, seed=1)
for domain, labeled, unlabeled in zip(sources, split.labeled, split.unlabeled, strict=True):
    print(f"{domain.name:8} {len(labeled)} labeled, {len(unlabeled)} unlabeled")
print(f"{TARGET:8} {len(domains[TARGET].paths)} for the test")

# %% [markdown]
# ## Weak and strong views
#
# FixMatch shows the network each image twice. Of the weak view, hardly changed, it is asked what it
# shows. If it is sure, its answer is the label of the strong view, which is distorted: that is what
# it learns from. Views are drawn anew at each step.

# %%
views, rng = digits(), np.random.default_rng(0)
figure, axes = plt.subplots(len(domains), 8, figsize=(8, 4.4), layout="constrained")
for row, domain in zip(axes, domains.values(), strict=True):
    image = domain.images[200]
    shown = [image, *(views.weak(image, rng) for _ in range(3))]
    shown += [views.strong(image, rng) for _ in range(4)]
    for axis, picture in zip(row, shown, strict=True):
        axis.imshow(picture)
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(domain.name)
for axis, title in zip(axes[0], ["image", *["weak"] * 3, *["strong"] * 4], strict=True):
    axis.set_title(title)
plt.show()

# %% [markdown]
# ## Two methods
#
# A method is a labeler, which says whose guess is trusted, and terms, which are summed up and
# minimized. FixCLR adds one term to FixMatch: classes push each other apart.

# %%
for name in ("fixmatch", "fixclr"):
    method = load_experiment(f"digits_{name}").method
    print(name, "trusts by", method.labeler)
    for term, settings in method.terms.items():
        print(f"    {term}: {type(settings).__name__}, weight {settings.weight}")

# %% [markdown]
# ## Training
#
# In a terminal, the cell below is `python -m jaxclr.main --experiment=digits_fixmatch --targets
# print`, and the same with `digits_fixclr`. Each takes a minute or two on two cores.

# %%
for name in ("fixmatch", "fixclr"):
    words = f"--experiment=digits_{name} --targets {TARGET} --steps {STEPS} --model.width {WIDTH}"
    assert main([*words.split(), "--no-report", "--workdir", str(WORKDIR)]) == 0

# %% [markdown]
# ## The table
#
# Accuracy is that of the last step, on all images of the held-out domain. Beside it, what the
# network made of the unlabeled images in its last steps: how many guesses were trusted, and how
# many of those were right.
#
# This is one seed and one target, so the difference of the two methods means nothing yet.
# [docs/results.md](https://github.com/jaxclr/jaxclr/blob/main/docs/results.md) has all targets and
# several seeds.

# %%
records = {
    name: read_record(WORKDIR / f"digits_{name}" / TARGET / "seed1")
    for name in ("fixmatch", "fixclr")
}
print("            accuracy    trusted    right of those")
for name, record in records.items():
    keys = ("accuracy", "pseudo_label_keep_rate", "pseudo_label_accuracy")
    told = [record.results[key] for key in keys]
    print(f"{name:10}", *("        none" if x is None else f"{x:10.1f}%" for x in told))

# %% [markdown]
# As Markdown, with the mean over the targets that there are, it also lies beside the runs:

# %%
print(markdown(summarise([records["fixclr"].results])))

# %% [markdown]
# ## Accuracy while training
#
# The figures from here on are those of `python -m jaxclr.report`, which puts all of them on one
# page.

# %%
runs = {name: [record] for name, record in records.items()}
curves.accuracy(runs)

# %% [markdown]
# ## Pseudo-labels
#
# First few guesses are sure enough to be trusted, then more and more. The second figure has each
# source domain by itself.

# %%
pseudo_labels.overall(runs)

# %%
pseudo_labels.by_domain(runs)

# %% [markdown]
# ## Which digits are mixed up

# %%
confusion.matrices(runs)

# %% [markdown]
# ## Features, before and after
#
# A hundred images of each domain, through the network with its first weights and with its last.
# t-SNE lays the features out in the plane; images of the held-out domain are ringed. Before, the
# look decides who is near whom. After, images of one digit lie together, some of the held-out
# domain's with those of the others; but which domain an image is of can still be seen.


# %%
def seen_by(network, per_domain=20 if SMALL else 100):
    """Features of some images of every domain, the held-out one last."""
    chosen = [*sources, domains[TARGET]]
    layout = make_layout(jax.device_count())
    predict = make_predict(network, views, np.float32, layout)
    some = np.linspace(0, 598, per_domain).astype(int)
    features = [
        over_images(
            predict, lambda seen: seen.features, network.params, network.stats, layout, domain,
            some, views,
        )
        for domain in chosen
    ]  # fmt: skip
    place = np.repeat(np.arange(len(chosen), dtype=np.int32), per_domain)
    return Features(
        np.concatenate(features), place, np.concatenate([domain.label[some] for domain in chosen])
    )


after = read_saved(records["fixclr"].folder)
before = after.experiment.model.build(10, seed=1, dtype=np.float32)
fixclr = records["fixclr"]
embedding.maps(
    {
        "before": fixclr._replace(features=seen_by(before)),
        "after": fixclr._replace(features=seen_by(after.network)),
    }
)

# %% [markdown]
# ## What next
#
# - Images of your own:
#   [your_own_data](https://github.com/jaxclr/jaxclr/blob/main/notebooks/your_own_data.ipynb)
# - What the losses do:
#   [losses_by_hand](https://github.com/jaxclr/jaxclr/blob/main/notebooks/losses_by_hand.ipynb)
# - Many devices:
#   [eight_tpu_cores](https://github.com/jaxclr/jaxclr/blob/main/notebooks/eight_tpu_cores.ipynb)
# - Which method to take:
#   [docs/which-method.md](https://github.com/jaxclr/jaxclr/blob/main/docs/which-method.md)
# - Every experiment, and how to change one from the command line:
#   [docs/experiments.md](https://github.com/jaxclr/jaxclr/blob/main/docs/experiments.md)
