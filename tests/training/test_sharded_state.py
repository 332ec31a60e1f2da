"""States that are shared out over the devices, against the same that are whole on each."""

import functools
import re

import chex
import jax
import numpy as np
import pytest
from test_step import make_batches, make_setting

from jaxclr.models.resnet import ResNet
from jaxclr.models.vit import Vit
from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.layout import make_layout
from jaxclr.training.state import initial_state
from jaxclr.training.step import make_train_step

VIT = Vit(width=128, depth=1, heads=2, patch=8, size=16)
STEPS = 2


def laid_out(sharding):
    return make_layout(8, sharding=sharding)


def setting_of(sharding, model=VIT):
    whole = laid_out(sharding).replicated if sharding == "full" else None
    return make_setting(network=model.build(3, seed=1), ema_decay=0.9, whole=whole)


@functools.cache
def stepped(sharding, model=VIT):
    """The state, still on the devices, and the metrics, of two steps; and the compiled step."""
    setting, layout, batches = setting_of(sharding, model), laid_out(sharding), make_batches()
    state, told = layout.put_state(initial_state(setting)), []
    step = jax.jit(
        make_train_step(setting), donate_argnums=0,
        out_shardings=(layout.shardings(state), layout.replicated),
    )  # fmt: skip
    compiled = step.lower(state, layout.put_batch(batches[0])).compile()
    for i in range(STEPS):
        state, metrics = compiled(state, layout.put_batch(batches[i]))
        told.append(jax.device_get(metrics))
    return state, told, compiled


def same_state(one, other):
    (state, told, _), (whole, expected, _) = one, other
    chex.assert_trees_all_close(told, expected, rtol=1e-5)
    chex.assert_trees_all_close(jax.device_get(state), jax.device_get(whole), rtol=1e-5, atol=1e-7)


def test_a_state_shared_out_over_eight_devices_is_trained_as_a_whole_one_is():
    same_state(stepped("full"), stepped("replicated"))


@pytest.mark.slow
def test_so_is_that_of_a_network_of_convolutions():
    model = ResNet(stem="small")
    same_state(stepped("full", model), stepped("replicated", model))


def bytes_of_a_device(state):
    return sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state))


def test_each_device_holds_about_an_eighth_before_and_after_the_steps():
    whole = bytes_of_a_device(stepped("replicated")[0])
    before = laid_out("full").put_state(initial_state(setting_of("full")))
    for state in (before, stepped("full")[0]):
        assert bytes_of_a_device(state) < 1.1 * whole / 8
        for moved in (state.params, state.ema, state.opt_state):
            assert bytes_of_a_device(moved) > 0
    assert whole == sum(leaf.nbytes for leaf in jax.tree.leaves(initial_state(setting_of("full"))))


def test_parameters_are_gathered_and_images_stay_on_their_devices():
    text, plain = (stepped(sharding)[2].as_text() for sharding in ("full", "replicated"))
    for moving in ("all-to-all(", "collective-permute("):
        assert text.count(moving) == plain.count(moving)
    width, tokens = VIT.width, 1 + (VIT.size // VIT.patch) ** 2
    gathered = re.findall(r"= f32\[([\d,]*)\]\S* all-gather", text)
    assert f"{width},{3 * width}" in gathered
    assert not any(shape.endswith(f",{tokens},{width}") for shape in gathered)


def test_what_is_small_or_cannot_be_shared_equally_stays_whole():
    layout = laid_out("full")
    arrays = {
        "long": np.zeros((3, 3, 64, 512)), "other": np.zeros((512, 3, 64)),
        "odd": np.zeros((129, 129)), "small": np.zeros(64),
    }  # fmt: skip
    state = initial_state(setting_of("full"))._replace(params=arrays, memory=np.zeros((256, 256)))
    placed = layout.shardings(state)
    specs = {name: tuple(where.spec) for name, where in placed.params.items()}
    assert specs == {"long": (None, None, None, "data"), "other": ("data",), "odd": (), "small": ()}
    assert placed.memory.is_fully_replicated and placed.step.is_fully_replicated
    assert all(where.is_fully_replicated for where in jax.tree.leaves(placed.stats))


@pytest.mark.parametrize("sharding", ["full", "replicated"])
def test_a_checkpoint_of_it_goes_on_shared_out_or_whole(tmp_path, sharding):
    state = stepped("full")[0]
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(2, state, seconds=1.0, source_accuracy=50.0)
    checkpoints.wait()
    layout = laid_out(sharding)
    found = checkpoints.restore(layout.spread(initial_state(setting_of(sharding))))
    checkpoints.close()
    chex.assert_trees_all_equal(jax.device_get(found.state), jax.device_get(state))
    ours = layout.put_state(found.state)
    expected = layout.shardings(ours)
    chex.assert_trees_all_equal(jax.tree.map(lambda x: x.sharding, ours), expected)
