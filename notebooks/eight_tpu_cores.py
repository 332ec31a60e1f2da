# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/jaxclr/jaxclr/blob/main/notebooks/eight_tpu_cores.ipynb)
#
# # Eight TPU cores
#
# One training step on eight devices: where its arrays lie, what the devices tell each other, and
# why the losses are those of one device. On Colab, choose *Runtime > Change runtime type > TPU*; on
# Kaggle, a TPU. Any machine with several GPUs will do as well, and without any of these, the
# processor stands in for eight devices.

# %%
import subprocess
import sys

if "google.colab" in sys.modules:  # elsewhere, jaxclr is there already
    from importlib.metadata import version

    kept = [f"{name}=={version(name)}" for name in ("jax", "jaxlib", "flax", "numpy")]
    package = "jaxclr @ git+https://github.com/jaxclr/jaxclr"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package, *kept], check=True)

# %% [markdown]
# How many devices JAX has is settled when it starts, so what is missing is asked for before it is
# imported. `accelerators` asks in a process of its own. One device alone would have nobody to share
# with: then the processor plays eight.

# %%
import os

from jaxclr.accelerators import accelerators

found = accelerators()
print(f"JAX finds {found.number} x {found.platform}.")
if found.platform == "cpu" or found.number == 1:
    os.environ["JAX_PLATFORMS"] = "cpu"
    eight = "--xla_force_host_platform_device_count=8"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {eight}"

# %% [markdown]
# With `JAXCLR_SMALL=1` in the environment, as in the project's own checks, the network is narrower
# and there are fewer steps. Accelerators like to round what they multiply; here they are asked not
# to, so that losses can be compared.

# %%
import dataclasses
import logging
import tempfile
import time
from pathlib import Path

# Grain tells, when it is imported, that it cannot profile itself with some versions of JAX.
logging.getLogger("absl").setLevel(logging.ERROR)

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot as plt

from jaxclr.losses import masked_mean, negative_class_contrastive
from jaxclr.main import load_experiment, main
from jaxclr.models.convnet import ConvNet
from jaxclr.program import make_program
from jaxclr.records import read_record
from jaxclr.run import Run
from jaxclr.training.layout import make_layout
from jaxclr.training.state import initial_state

SMALL = os.environ.get("JAXCLR_SMALL") == "1"
WIDTH, STEPS = (8, 4) if SMALL else (64, 60)
WORKDIR = Path(tempfile.mkdtemp())
jax.config.update("jax_default_matmul_precision", "highest")
for device in jax.devices():
    print(device)

# %% [markdown]
# ## The mesh
#
# A `Layout` says where arrays lie. Its mesh is a line of all devices, with the one axis `data`.
# There are two ways to lie on it: whole on every device (`P()`), or shared out by rows
# (`P('data')`).

# %%
everyone = make_layout(16)
alone = make_layout(16, jax.devices()[:1])
print(everyone.batch.mesh)
print("the state:", everyone.replicated.spec)
print("a batch:  ", everyone.batch.spec)

# %% [markdown]
# ## Where a batch lies
#
# FixCLR on the digits, with the domain `print` held out. A batch has 16 labeled images of each of
# the three source domains, 48 in all. The domain varies fastest: a *row* is one image of each
# domain, and rows are never cut. So each of eight devices holds two rows, which are six images of
# all domains.

# %%
experiment = dataclasses.replace(
    load_experiment("digits_fixclr"), model=ConvNet(width=WIDTH), steps=STEPS
)
run = Run(experiment, experiment.dataset.load(), "print", 1, WORKDIR / "unused", {})
names = [domain.name for domain in run.sources]

batch = everyone.put_batch(run.batches[0])
shards = zip(
    batch.labeled.domain.addressable_shards, batch.labeled.label.addressable_shards, strict=True
)
for domain, label in shards:
    images = zip(np.asarray(domain.data), np.asarray(label.data), strict=True)
    print(f"{domain.device!s:12}", *(f"{names[d]} {y}" for d, y in images), sep="  ")

# %% [markdown]
# JAX draws the same: 48 labels, a block for each device.

# %%
jax.debug.visualize_array_sharding(batch.labeled.label)

# %% [markdown]
# ## Where the state lies
#
# Parameters, what the optimizer keeps, statistics: every device has all of it.

# %%
state = everyone.put_state(initial_state(run.setting, run.seed))
kernel = state.params["backbone"]["conv2"]["kernel"]
print("second convolution:", kernel.shape)
for shard in kernel.addressable_shards[:3]:
    print(f"{shard.device!s:12} holds {shard.data.shape}")
print("...")

# %% [markdown]
# `--sharding full` is for networks too large for that: each large array is cut along its longest
# axis that the devices can share, and gathered when a step needs it. Results stay the same.

# %%
full = make_layout(16, sharding="full")
wide = dataclasses.replace(experiment, model=ConvNet(width=64))
setting = Run(wide, run.collection, "print", 1, WORKDIR / "unused", {}).setting
like = jax.eval_shape(lambda: initial_state(setting))
for name, layer in full.shardings(like).params["backbone"].items():
    for part, sharding in layer.items():
        print(f"{name}/{part:8} {sharding.spec}")

# %% [markdown]
# ## One step, compiled for both
#
# The step is one pure function. It says nothing of devices: the compiler reads from its inputs
# where they lie, and puts in whatever has to be exchanged. On one device that is nothing; on
# several, sums over all (all-reduce: gradients, batch statistics) and copies of what others hold
# (all-gather: the features that FixCLR compares).


# %%
def start(layout):
    """The state that training starts from."""
    return layout.put_state(initial_state(run.setting, run.seed))


programs = {}
for layout in (alone, everyone):
    step = make_program(experiment, run.setting, layout).train_step
    lowered = step.lower(start(layout), layout.put_batch(run.batches[0]))
    programs[layout.num_devices] = layout, lowered.compile()

for count, (_, step) in programs.items():
    text = step.as_text()
    exchanged = {name: text.count(f" {name}(") for name in ("all-reduce", "all-gather")}
    print(f"on {count}: {exchanged}")

# %% [markdown]
# ## The same losses
#
# Four batches on one device, and the same four on all, each from the start. What differs is the
# order in which numbers are added, so the losses agree to a hundred-thousandth and not to the last
# bit.

# %%
losses = {
    count: [
        float(step(start(layout), layout.put_batch(run.batches[number]))[1]["loss"])
        for number in range(4)
    ]
    for count, (layout, step) in programs.items()
}
for count, values in losses.items():
    print(f"on {count}:", "  ".join(f"{value:.6f}" for value in values))
np.testing.assert_allclose(*losses.values(), rtol=1e-5)

# %% [markdown]
# Step after step, that last bit grows: ReLU, pooling and thresholds turn a small difference into
# another choice. So a run on eight devices is not the run on one digit by digit. It differs from it
# as a run does whose first weights were changed by a ten-millionth.

# %% [markdown]
# ## What is compared with what
#
# FixCLR compares images with each other, so it matters who is there. Here every loss is that of the
# **whole batch**: 48 labeled images meet, whichever devices they lie on. Were each device to
# compute a loss of its own six images, and the results averaged, most pairs of a class and a domain
# would not exist at all, and the loss would depend on the number of devices.

# %%
own = np.asarray(run.batches[0].labeled.label), np.asarray(run.batches[0].labeled.domain)
label, domain = (jnp.asarray(x) for x in own)
predict = make_program(experiment, run.setting, alone).predict
network = run.setting.network
views = jnp.asarray(run.batches[0].labeled.strong)
features = predict(network.params, network.stats, views).features


def fixclr(features, label, domain):
    """FixCLR's loss of every class and domain, and which of these there are."""
    return negative_class_contrastive(
        features, label, domain, jnp.ones(len(label)), num_classes=10, num_domains=len(names)
    )


def whole(features):
    """The term of the whole batch."""
    return masked_mean(*fixclr(features, label, domain))


def by_parts(features, parts=8):
    """The mean of the terms of eight parts, each blind to the others."""
    cut = zip(*(jnp.split(x, parts) for x in (features, label, domain)), strict=True)
    return jnp.stack([masked_mean(*fixclr(*part)) for part in cut]).mean()


pulls = [jax.grad(term)(features).ravel() for term in (whole, by_parts)]
cosine = jnp.vdot(*pulls) / (jnp.linalg.norm(pulls[0]) * jnp.linalg.norm(pulls[1]))
print(f"whole batch: {whole(features):.3f}   eight parts: {by_parts(features):.3f}")
print(f"cosine of the two gradients: {cosine:.2f}")

# %% [markdown]
# Left, the loss of each class and domain over the whole batch; right, over the first part of eight.
# White: there is no such pair.

# %%
most = float(fixclr(features, label, domain)[0].max())
figure, axes = plt.subplots(1, 2, figsize=(6, 4), layout="constrained", sharey=True)
for axis, count, title in zip(axes, (48, 6), ("whole batch", "one part of eight"), strict=True):
    loss, exists = fixclr(features[:count], label[:count], domain[:count])
    shown = np.where(np.asarray(exists) > 0, loss, np.nan)
    drawn = axis.imshow(shown, cmap="cividis", vmin=0, vmax=most, aspect="auto")
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(10))
    axis.set(title=title, xlabel="domain")
axes[0].set_ylabel("class")
figure.colorbar(drawn, ax=axes, label="loss, nats")
plt.show()

# %% [markdown]
# ## How fast
#
# Steps on one batch, waiting for the last. TPU cores and GPUs work at the same time; the
# processor's eight devices share its cores, so there the two numbers say little. A step this small
# does not need eight devices, either: more of them are of use for larger images and networks.

# %%
images = 2 * 48
for count, (layout, step) in programs.items():
    state, batch = start(layout), layout.put_batch(run.batches[0])
    begun, repeats = time.perf_counter(), 3 if SMALL else 20
    for _ in range(repeats):
        state, metrics = step(state, batch)
    jax.block_until_ready(state)
    speed = repeats * images / (time.perf_counter() - begun)
    print(f"on {count}: {speed:,.0f} images a second")

# %% [markdown]
# ## A run
#
# The command needs no flag: it takes all devices that JAX sees. `--batch-per-domain` must be a
# multiple of their number. In a terminal it is `python -m jaxclr.main --experiment=digits_fixclr
# --targets print`.

# %%
words = f"--experiment=digits_fixclr --targets print --steps {STEPS} --model.width {WIDTH}"
assert main([*words.split(), "--no-report", "--workdir", str(WORKDIR)]) == 0

# %%
results = read_record(WORKDIR / "digits_fixclr/print/seed1").results
for name in ("device", "accuracy", "steps", "seconds", "images_per_second"):
    print(f"{name}: {results[name]}")

# %% [markdown]
# ## Further
#
# - [docs/scale.md](https://github.com/jaxclr/jaxclr/blob/main/docs/scale.md): several machines, TPU
#   pods, preemption, memory
# - [docs/design.md](https://github.com/jaxclr/jaxclr/blob/main/docs/design.md): how the step is
#   built
# - [losses_by_hand](https://github.com/jaxclr/jaxclr/blob/main/notebooks/losses_by_hand.ipynb):
#   what FixCLR does to the features that meet here
