import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import Toy, toy_experiment

from jaxclr.methods.coral import coral
from jaxclr.methods.erm import erm
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.groupdro import groupdro
from jaxclr.methods.irm import irm
from jaxclr.methods.vrex import vrex
from jaxclr.models.convnet import ConvNet
from jaxclr.optim import Sgd
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.split import draw_split
from jaxclr.training.layout import make_layout
from jaxclr.training.passes import normalise
from jaxclr.training.rows import join
from jaxclr.training.state import Setting, initial_state
from jaxclr.training.step import make_train_step

DOMAINS = 2


def make_batches(seed=1) -> Batches:
    collection, experiment = Toy().load(), toy_experiment()
    sources = collection.domains[:DOMAINS]
    split = draw_split(sources, collection.classes, labels_per_class=3, seed=seed)
    return Batches(sources, split, experiment.augment, seed=seed, steps=9, batch_per_domain=8)


def make_setting(method=None, **changes) -> Setting:
    setting = Setting(
        network=ConvNet(width=4, size=16).build(3, seed=1),
        method=method or fixclr(fixmatch(threshold=0.4)),
        optimizer=Sgd().build(steps=9),
        num_classes=3,
        num_domains=DOMAINS,
        steps=9,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )
    return setting._replace(**changes)


def run(setting, devices, steps=4):
    layout, batches = make_layout(8, devices), make_batches()
    train_step = jax.jit(make_train_step(setting), donate_argnums=0)
    state, metrics = layout.put_state(initial_state(setting)), []
    for step in range(steps):
        state, values = train_step(state, layout.put_batch(batches[step]))
        metrics.append(jax.device_get(values))
    return jax.device_get(state), metrics


# But for MMD's, whose narrowest kernel magnifies rounding a thousand times.
INVARIANT = irm(coral(fixmatch(threshold=0.4)), weight=0.1, early=1.0)
METHODS = {
    "erm": erm(),
    "fixclr": fixclr(fixmatch(threshold=0.4)),
    "penalties": groupdro(vrex(INVARIANT, weight=0.1, early=1.0)),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_eight_devices_compute_what_one_device_computes(method):
    setting = make_setting(method)
    one, eight = run(setting, jax.devices()[:1]), run(setting, jax.devices())
    chex.assert_trees_all_close(one, eight, rtol=1e-5, atol=1e-5)
    chex.assert_tree_all_finite(one[0])


def test_the_step_is_traced_once_and_moves_no_examples_between_devices():
    setting, layout, batches = make_setting(), make_layout(8), make_batches()
    chex.clear_trace_counter()
    traced = chex.assert_max_traces(make_train_step(setting), n=1)
    train_step = jax.jit(traced, donate_argnums=0, out_shardings=layout.replicated)
    state = layout.put_state(initial_state(setting))
    batch = layout.put_batch(batches[0])
    for step in range(3):
        state, _ = train_step(state, layout.put_batch(batches[step]))
    compiled = jax.jit(make_train_step(setting)).lower(state, batch).compile().as_text()
    assert "all-reduce" in compiled
    assert not re.search("all-to-all|collective-permute", compiled)


def test_what_the_annotator_hid_changes_the_measures_but_not_the_training():
    setting, batch = make_setting(), make_batches()[0]
    other = batch._replace(
        unlabeled=batch.unlabeled._replace(label=(batch.unlabeled.label + 1) % 3)
    )
    train_step = jax.jit(make_train_step(setting))
    (state, told), (same, untold) = (
        train_step(initial_state(setting), given) for given in (batch, other)
    )
    chex.assert_trees_all_equal(state, same)
    assert told["kept"] > 0
    assert told["right"] != untold["right"]


def test_labels_that_nobody_knows_are_kept_out_of_the_measures():
    batch = make_batches()[0]
    unknown = jnp.full_like(batch.unlabeled.label, -1)
    batch = batch._replace(unlabeled=batch.unlabeled._replace(label=unknown))
    setting = make_setting()
    _, metrics = jax.jit(make_train_step(setting))(initial_state(setting), batch)
    assert metrics["kept"] > 0
    assert metrics["known"] == metrics["right"] == 0


def test_erm_does_not_look_at_unlabeled_or_strong_views():
    setting, batch = make_setting(erm()), make_batches()[0]
    blank = jax.tree.map(np.zeros_like, batch.unlabeled)
    other = batch._replace(
        unlabeled=blank,
        labeled=batch.labeled._replace(strong=blank.strong[: len(batch.labeled.label)]),
    )
    train_step = jax.jit(make_train_step(setting))
    chex.assert_trees_all_equal(
        train_step(initial_state(setting), batch), train_step(initial_state(setting), other)
    )


def test_the_average_follows_the_weights():
    setting = make_setting(ema_decay=0.9)
    before, batch = initial_state(setting), make_batches()[0]
    after, _ = jax.jit(make_train_step(setting))(before, batch)
    expected = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, before.params, after.params)
    chex.assert_trees_all_close(after.ema, expected, rtol=1e-5)


def test_bfloat16_compute_keeps_float32_parameters_and_comes_near():
    exact = make_setting(fixmatch(threshold=0.4))
    rough = exact._replace(
        network=ConvNet(width=4, size=16).build(3, seed=1, dtype=jnp.bfloat16), dtype=jnp.bfloat16
    )
    (fine, fine_metrics), (coarse, coarse_metrics) = (
        jax.jit(make_train_step(s))(initial_state(s), make_batches()[0]) for s in (exact, rough)
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(coarse.params)} == {jnp.dtype("float32")}
    assert coarse_metrics["supervised"].dtype == jnp.float32
    np.testing.assert_allclose(coarse_metrics["supervised"], fine_metrics["supervised"], rtol=0.02)
    assert float(coarse_metrics["supervised"]) != float(fine_metrics["supervised"])
    chex.assert_trees_all_close(fine.params, coarse.params, atol=0.05)


def test_join_keeps_the_domain_fastest_and_each_row_together():
    labeled, unlabeled = (
        np.array([0, 1, 10, 11]),
        np.array([100, 101, 102, 103, 110, 111, 112, 113]),
    )
    joined = join(labeled, unlabeled, 2)
    assert joined.tolist() == [0, 1, 100, 101, 102, 103, 10, 11, 110, 111, 112, 113]


def test_a_run_of_one_seed_is_the_same_twice_and_not_that_of_another_seed():
    setting = make_setting()
    one, again = run(setting, jax.devices()[:1], 2), run(setting, jax.devices()[:1], 2)
    chex.assert_trees_all_equal(one, again)
    other = setting._replace(network=ConvNet(width=4, size=16).build(3, seed=2))
    assert run(other, jax.devices()[:1], 2)[1][0]["loss"] != one[1][0]["loss"]


def test_pixels_are_normalised_by_mean_and_deviation():
    images = np.arange(0, 240, 20, dtype=np.uint8).reshape(1, 2, 2, 3)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    expected = (images / 255 - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(normalise(images, mean, std), expected, rtol=1e-5, atol=1e-6)
