# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/jaxclr/jaxclr/blob/main/notebooks/your_own_data.ipynb)
#
# # Your own images
#
# From a folder of images to a trained network, its mistakes, its predictions for new images, and a
# report. The images are drawn here, so that the notebook runs as it is; to use yours, give their
# folder in place of `ROOT`.

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
import csv
import logging
import os
import tempfile
from pathlib import Path

# Grain tells, when it is imported, that it cannot profile itself with some versions of JAX.
logging.getLogger("absl").setLevel(logging.ERROR)

import numpy as np
from matplotlib import pyplot as plt
from PIL import Image, ImageDraw

from jaxclr.datasets import main as datasets
from jaxclr.main import main
from jaxclr.predict import main as predict
from jaxclr.records import read_record
from jaxclr.report.command import main as report
from jaxclr.report.figures import confusion, mistakes

SMALL = os.environ.get("JAXCLR_SMALL") == "1"
STEPS, WIDTH = (3, 8) if SMALL else (150, 32)
SIZE = 32
HERE = Path(tempfile.mkdtemp())
ROOT = HERE / "shapes"

# %% [markdown]
# ## The folder
#
# What is needed is a folder for each domain, and in each the same folders, one for each class:
#
# ```
# shapes/
#   day/     circle/ 00.jpg 01.jpg ...   cross/ ...   square/ ...   triangle/ ...
#   night/   circle/ ...                 ...
#   pencil/  circle/ ...                 ...
# ```
#
# Domains may be cameras, clinics, countries, seasons: whatever makes images look different though
# the classes are the same. Here they are dark shapes by day, pale ones at night, and drawings in
# pencil.

# %%
CLASSES = {
    "circle": [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 40)],
    "cross": [
        (-1, -0.35), (-0.35, -0.35), (-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35),
        (1, 0.35), (0.35, 0.35), (0.35, 1), (-0.35, 1), (-0.35, 0.35), (-1, 0.35),
    ],
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "triangle": [(0, -1), (0.87, 0.5), (-0.87, 0.5)],
}  # fmt: skip
DOMAINS = {"day": (220, 70, None), "night": (40, 150, None), "pencil": (235, 175, 60)}


def shape(name, domain, rng):
    """An image of a class in a domain: somewhere, of some size, turned a little, of any colour."""
    paper, inside, outline = DOMAINS[domain]
    turn, size = rng.uniform(-0.4, 0.4), rng.uniform(14, 26)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = np.array(CLASSES[name]) @ rotation * size + rng.uniform(28, 36, 2)
    points = [tuple(corner) for corner in corners.tolist()]
    colours = np.array([[paper], [inside], [outline or inside]]) + rng.integers(-30, 30, (3, 3))
    on_paper, filled, drawn = (tuple(colour) for colour in colours.tolist())
    image = Image.new("RGB", (64, 64), on_paper)
    ImageDraw.Draw(image).polygon(points, fill=filled)
    ImageDraw.Draw(image).line([*points, points[0]], fill=drawn, width=2 if outline else 0)
    noisy = np.asarray(image) + rng.normal(0, 12, (64, 64, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


rng = np.random.default_rng(0)
for domain in DOMAINS:
    for name in CLASSES:
        (ROOT / domain / name).mkdir(parents=True)
        for number in range(40):
            shape(name, domain, rng).save(ROOT / domain / name / f"{number:02}.jpg")

figure, axes = plt.subplots(len(DOMAINS), 8, figsize=(8, 3.4), layout="constrained")
for row, domain in zip(axes, DOMAINS, strict=True):
    for axis, file in zip(row, sorted((ROOT / domain).glob("*/0[01].jpg")), strict=True):
        axis.imshow(Image.open(file))
        axis.set(xticks=[], yticks=[])
        axis.set_title(file.parent.name if domain == "day" else "", fontsize=9)
    row[0].set_ylabel(domain)
plt.show()

# %% [markdown]
# ## Check them
#
# Folders that have grown over years hold surprises. `verify` decodes every image and says what is
# wrong. Here a file is truncated, as by a copy that was interrupted, and one was copied into
# another class.

# %%
truncated, copied = ROOT / "day/cross/40.jpg", ROOT / "night/square/copy.jpg"
truncated.write_bytes((ROOT / "day/cross/00.jpg").read_bytes()[:300])
copied.write_bytes((ROOT / "night/circle/05.jpg").read_bytes())

# In a terminal: python -m jaxclr.datasets verify folder --root shapes
code = datasets(["verify", "folder", "--root", str(ROOT)])
print("exit code:", code)

# %% [markdown]
# Both are removed, and all is well. (`--skip-unreadable` would leave out what cannot be read.)

# %%
truncated.unlink()
copied.unlink()
assert datasets(["verify", "folder", "--root", str(ROOT)]) == 0

# %% [markdown]
# ## Prepare them
#
# Photographs take longer to decode than to learn from. `prepare` decodes all of them once, scales
# them to the size that training needs, and writes them down as plain bytes; a run that reads them
# says so at its start. For a few small images it can be left out.

# %%
# In a terminal: python -m jaxclr.datasets prepare folder --root shapes --out prepared --size 32
PREPARED = HERE / "prepared"
words = ["prepare", "folder", "--root", ROOT, "--out", PREPARED, "--size", SIZE]
assert datasets([str(word) for word in words]) == 0

# %% [markdown]
# ## Settings
#
# The experiment `folder_fixclr` is FixMatch with FixCLR's repulsion on a ResNet-18, made for
# photographs of 224 pixels. These images are small and simple, so a small network will do. A file
# with a function `experiment()` is an experiment of one's own; this one takes everything else from
# `folder_fixclr`.

# %%
SETTINGS = f"""
import dataclasses

from jaxclr.main import load_experiment
from jaxclr.models.convnet import ConvNet
from jaxclr.optim import Sgd
from jaxclr.pipeline.augment import Augment


def experiment():
    return dataclasses.replace(
        load_experiment("folder_fixclr"),
        name="shapes",
        model=ConvNet(width={WIDTH}),
        optimizer=Sgd(learning_rate=0.01),
        augment=Augment(size={SIZE}),
        labels_per_class=10,
    )
"""
(HERE / "shapes.py").write_text(SETTINGS)
print(SETTINGS)

# %% [markdown]
# ## Train
#
# `pencil` is held out; of the other two domains, ten images of each class keep their label, and the
# rest is used without. All files need a class folder: it is from them that labels are drawn, and
# the results measured.
#
# For photographs, leave out the file of settings: `python -m jaxclr.main --experiment=folder_fixclr
# --dataset.root PATH`, with weights to start from by `--model.weights`.

# %%
# In a terminal, the same words after: python -m jaxclr.main
words = f"""
    --experiment={HERE / "shapes.py"} --dataset.root {ROOT} --dataset.cache {PREPARED}
    --targets pencil --steps {STEPS} --eval-every {max(STEPS // 5, 1)}
    --workdir {HERE / "runs"} --no-report
"""
assert main(words.split()) == 0

# %% [markdown]
# ## What it gets wrong
#
# The mistakes that the network was surest of, with its guess and how sure it was, and what it is in
# brackets.

# %%
RUN = HERE / "runs/shapes/pencil/seed1"
record = read_record(RUN)
mistakes.grid(record)

# %% [markdown]
# Which classes are taken for which:

# %%
confusion.matrices({"shapes": [record]})

# %% [markdown]
# ## New images
#
# Images without any folders, as they come in. The run's folder is all that is needed to classify
# them: it holds the settings and the weights.

# %%
NEW = HERE / "new"
NEW.mkdir()
for number in range(8):
    name = rng.choice(list(CLASSES))
    shape(str(name), "pencil", rng).save(NEW / f"{number}.png")

# In a terminal: python -m jaxclr.predict --run RUN --output new.csv new
words = ["--run", RUN, "--output", HERE / "new.csv", "--top", 2, NEW]
assert predict([str(word) for word in words]) == 0
print((HERE / "new.csv").read_text())

# %%
with open(HERE / "new.csv") as file:
    rows = list(csv.DictReader(file))
figure, axes = plt.subplots(1, len(rows), figsize=(9, 1.7), layout="constrained")
for axis, row in zip(axes, rows, strict=True):
    axis.imshow(Image.open(row["path"]))
    axis.set_title(f"{row['class']}\n{100 * float(row['probability']):.0f} %", fontsize=9)
    axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## The report
#
# One page with tables, curves, pseudo-labels, confusions, mistakes and all settings; beside it
# every figure as PNG and SVG, and every table as CSV, Markdown and LaTeX. Several experiments given
# together are compared.

# %%
# In a terminal: python -m jaxclr.report runs/shapes
assert report([str(HERE / "runs/shapes")]) == 0
folder = HERE / "runs/shapes/report"
for path in sorted(folder.rglob("*")):
    if path.is_file():
        print(path.relative_to(folder), f"{path.stat().st_size / 1000:.0f} kB")

# %% [markdown]
# `index.html` holds all of it and opens in any browser; on Colab, download it from the panel of
# files. This is one of its figures:

# %%
figure, axis = plt.subplots(figsize=(8, 3.8), layout="constrained")
axis.imshow(Image.open(next(folder.glob("figures/accuracy*.png"))))
axis.axis("off")
plt.show()

# %% [markdown]
# ## Further
#
# - [docs/data.md](https://github.com/jaxclr/jaxclr/blob/main/docs/data.md): other forms of data,
#   and every message of `verify`
# - [docs/which-method.md](https://github.com/jaxclr/jaxclr/blob/main/docs/which-method.md): FixCLR
#   is not always the best choice
# - [quickstart](https://github.com/jaxclr/jaxclr/blob/main/notebooks/quickstart.ipynb): the same on
#   digits, with a look at the features
