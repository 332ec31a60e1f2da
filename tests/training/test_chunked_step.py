"""Whole steps in chunks against the same steps in one."""

import chex
import jax
import numpy as np
import pytest
from toy import Toy, toy_experiment

from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.ssc import ssc
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Linear, Mlp, Prototypes
from jaxclr.models.vit import Vit
from jaxclr.optim import Sgd
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.split import draw_split
from jaxclr.training.layout import make_layout
from jaxclr.training.state import Setting, initial_state
from jaxclr.training.step import make_train_step

DOMAINS, STEPS = 3, 2
CONVNET = ConvNet(width=4, size=16, classifier=Linear(dropout=0.3, samples=2))
VIT = Vit(
    width=8, depth=1, heads=2, patch=8, size=16,
    classifier=Prototypes(), projector=Mlp(normalised=True),
)  # fmt: skip
FIXCLR = fixclr(fixmatch(threshold=0.4))
CASES = {
    "fixclr": (FIXCLR, CONVNET, 3),
    "fixclr, uneven": (FIXCLR, CONVNET, 2),
    "ssc": (ssc(threshold=0.4), VIT, 2),
}


def make_setting(name, chunks):
    method, model, _ = CASES[name]
    return Setting(
        network=model.build(3, seed=1), method=method, optimizer=Sgd().build(steps=STEPS),
        num_classes=3, num_domains=DOMAINS, steps=STEPS, mean=(0.5,) * 3, std=(0.25,) * 3,
        gradient_norms=name == "fixclr, uneven", chunks=chunks,
    )  # fmt: skip


def make_batches(second):
    collection = Toy().load()
    split = draw_split(collection.domains, collection.classes, labels_per_class=3, seed=1)
    return Batches(
        collection.domains, split, toy_experiment().augment,
        seed=1, steps=STEPS, batch_per_domain=8, second=second,
    )  # fmt: skip


def run(name, chunks, devices):
    """How parameters moved, what was recorded and remembered, and the metrics, of two steps."""
    setting, layout = make_setting(name, chunks), make_layout(8, devices)
    step = jax.jit(make_train_step(setting), out_shardings=layout.replicated)
    before = initial_state(setting)
    state, told = layout.put_state(before), []
    batches = make_batches("second" in setting.method.reads)
    for i in range(STEPS):
        state, metrics = step(state, layout.put_batch(batches[i]))
        told.append(jax.device_get(metrics))
    state = jax.device_get(state)
    moved = jax.tree.map(lambda after, first: after - first, state.params, before.params)
    return moved, state.stats, state.memory, told


@pytest.mark.parametrize(
    "name",
    [name if name == "fixclr" else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_a_step_in_chunks_on_eight_devices_is_the_step_in_one_on_one_device(name):
    whole = run(name, 1, jax.devices()[:1])
    cut = run(name, CASES[name][2], jax.devices())
    largest = max(float(np.abs(x).max()) for x in jax.tree.leaves(whole[0]))
    chex.assert_trees_all_close(cut[0], whole[0], rtol=1e-5, atol=1e-5 * largest)
    chex.assert_trees_all_close(cut[1:], whole[1:], rtol=1e-5, atol=1e-6)
    assert all(values["kept"] > 0 for values in cut[-1])
