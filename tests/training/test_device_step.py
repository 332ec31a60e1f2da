"""Steps that make their views themselves."""

import dataclasses
import re

import chex
import jax
import numpy as np
import pytest
from toy import Toy, toy_experiment

from jaxclr.errors import InputError
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.simclr import simclr
from jaxclr.models.convnet import ConvNet
from jaxclr.optim import Sgd
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.self_supervised import SelfSupervised
from jaxclr.pipeline.small_images import SmallImages
from jaxclr.pipeline.split import draw_split
from jaxclr.run import Run
from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.layout import make_layout
from jaxclr.training.passes import PURPOSES, Passes
from jaxclr.training.state import Setting, initial_state
from jaxclr.training.step import make_train_step
from jaxclr.training.views import device_views

N, SEED = 2, 7
AUGMENT = Augment(size=16, cutout=4, where="device")


def make_batches(augment=AUGMENT, second=False):
    collection = Toy().load()
    sources = collection.domains[:N]
    split = draw_split(sources, collection.classes, labels_per_class=3, seed=SEED)
    return Batches(
        sources, split, augment, seed=SEED, steps=9, batch_per_domain=8, second=second
    )  # fmt: skip


def make_setting(**changes):
    setting = Setting(
        network=ConvNet(width=4, size=16).build(3, seed=1), method=fixmatch(threshold=0.4),
        optimizer=Sgd().build(steps=9), num_classes=3, num_domains=N, steps=9,
        mean=(0.5,) * 3, std=(0.25,) * 3, augment=AUGMENT,
    )  # fmt: skip
    return setting._replace(**changes)


@pytest.fixture(scope="module")
def trained():
    """A jitted step on eight devices, compiled; and the states before, between and after two."""
    layout, batches = make_layout(8), make_batches()
    step = jax.jit(make_train_step(make_setting()), out_shardings=layout.replicated)
    state = layout.put_state(initial_state(make_setting(), SEED))
    compiled = step.lower(state, layout.put_batch(batches[0])).compile()
    states = [state]
    for number in range(2):
        states.append(compiled(states[-1], layout.put_batch(batches[number]))[0])
    return compiled, layout, batches, states


def test_a_batch_holds_the_pictures_themselves():
    plain, host = make_batches()[3], make_batches(dataclasses.replace(AUGMENT, where="host"))[3]
    pictures = {x.tobytes() for domain in Toy().load().domains[:N] for x in domain.images}
    for views, others in zip(plain, host, strict=True):
        assert views.strong is None and views.second is None
        assert all(square.tobytes() in pictures for square in views.weak)
        np.testing.assert_array_equal(views.label, others.label)
        np.testing.assert_array_equal(views.number, others.number)
    assert make_batches(second=True)[0].labeled.second is None


def test_pictures_of_another_shape_are_sent_as_squares():
    image = np.random.default_rng(0).integers(0, 256, (20, 31, 3), np.uint8)
    assert AUGMENT.square(image).shape == (16, 16, 3)
    host = Augment(size=16, flip=0.0, translate=0.0, operations=0, cutout=0)
    np.testing.assert_array_equal(AUGMENT.square(image), host.weak(image, np.random.default_rng(1)))


def test_eight_devices_compute_what_one_does_that_is_given_the_views(trained):
    """By the key of the run's seed, the step, and the purpose."""
    _, _, batches, states = trained
    plain_step = jax.jit(make_train_step(make_setting(augment=None)))
    make = jax.jit(lambda batch, key: device_views(AUGMENT, batch, key, N, second=False))
    state = initial_state(make_setting(), SEED)
    for number in range(2):
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(SEED), number), 9)
        state, _ = plain_step(state, make(batches[number], key))
    assert PURPOSES[9] == "views"
    chex.assert_trees_all_close(
        jax.device_get(states[-1]), jax.device_get(state), rtol=1e-5, atol=1e-5
    )


def test_no_examples_are_moved_between_devices(trained):
    text = trained[0].as_text()
    assert "all-reduce" in text
    assert not re.search("all-to-all|collective-permute|all-gather", text)


def test_a_resumed_run_ends_bit_for_bit_as_one_that_never_stopped(trained, tmp_path):
    step, layout, batches, states = trained
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, states[1], seconds=0.0, source_accuracy=0.0)
    checkpoints.wait()
    found = checkpoints.restore(initial_state(make_setting()))
    checkpoints.close()
    after, _ = step(layout.put_state(found.state), layout.put_batch(batches[1]))
    chex.assert_trees_all_equal(jax.device_get(after), jax.device_get(states[2]))


@pytest.mark.parametrize("method, there", [(fixmatch(), False), (simclr(), True)])
def test_a_second_strong_view_is_made_where_the_method_reads_one(method, there):
    setting = make_setting(method=method)

    def seen(state, batch):
        return Passes(setting, state, batch).batch

    batch = jax.eval_shape(seen, initial_state(setting), make_batches()[0])
    assert (batch.unlabeled.second is not None) == there
    assert batch.unlabeled.strong.shape == batch.unlabeled.weak.shape == (16, 16, 16, 3)


@pytest.mark.parametrize("where", ["host", "device"])
def test_a_run_tells_the_step_where_views_are_made(where, tmp_path):
    augment = dataclasses.replace(AUGMENT, where=where)
    experiment = toy_experiment(augment=augment)
    run = Run(experiment, experiment.dataset.load(), "night", 1, tmp_path, {})
    assert run.setting.augment == (augment if where == "device" else None)
    assert (run.batches[0].labeled.strong is None) == (where == "device")


@pytest.mark.parametrize("other", [SelfSupervised, SmallImages])
def test_views_of_other_kinds_are_made_on_the_host_alone(other):
    with pytest.raises(InputError, match=rf"where is device: .*{other.__name__}.*--augment.where"):
        other(where="device")
