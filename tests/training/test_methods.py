"""What only a whole step can show of methods: the passes they read, and that devices agree."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import Toy, toy_experiment

from jaxclr.methods.adc import adc
from jaxclr.methods.byol import byol
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.ssc import ssc
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Mlp, Prototypes
from jaxclr.optim import Sgd
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.split import draw_split
from jaxclr.training.layout import make_layout
from jaxclr.training.passes import forward
from jaxclr.training.state import Frozen, Setting, initial_state
from jaxclr.training.step import make_train_step

DOMAINS, STEPS = 2, 2
SMALL = {"width": 4, "size": 16}
PASSES = {"labeled", "weak", "strong", "second", "style", "average"}
SETTINGS = {
    "ssc": (ssc(threshold=0.4), ConvNet(**SMALL, classifier=Prototypes(), projector=Mlp()), None),
    "adc": (adc(fixmatch(threshold=0.4)), ConvNet(**SMALL), None),
    "byol": (byol(), ConvNet(**SMALL, projector=Mlp(), predictor=Mlp(normalised=True)), 0.99),
}
SEEN = {
    "ssc": {"labeled", "weak", "strong", "second"},
    "adc": {"labeled", "weak", "strong"},
    "byol": {"strong", "second", "average"},
}


def make_batches(second: bool) -> Batches:
    collection, experiment = Toy().load(), toy_experiment()
    sources = collection.domains[:DOMAINS]
    split = draw_split(sources, collection.classes, labels_per_class=3, seed=1)
    return Batches(
        sources, split, experiment.augment, seed=1, steps=STEPS, batch_per_domain=8, second=second
    )


def make_setting(name: str) -> tuple[Setting, Frozen]:
    """A tiny setting; calibration is given another network as its frozen encoder."""
    method, model, ema_decay = SETTINGS[name]
    prior = ConvNet(**SMALL).build(1, seed=2) if name == "adc" else None
    setting = Setting(
        network=model.build(3, seed=1),
        method=method,
        optimizer=Sgd().build(steps=STEPS),
        num_classes=3,
        num_domains=DOMAINS,
        steps=STEPS,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        ema_decay=ema_decay,
        prior=prior,
    )
    return setting, Frozen() if prior is None else Frozen((prior.params, prior.stats))


def run(name: str, devices):
    """The state and the metrics after two steps."""
    setting, frozen = make_setting(name)
    layout, batches = make_layout(8, devices), make_batches("second" in setting.method.reads)
    train_step, metrics = jax.jit(make_train_step(setting)), []
    state, frozen = layout.put_state(initial_state(setting)), layout.put_state(frozen)
    for step in range(STEPS):
        state, values = train_step(state, layout.put_batch(batches[step]), frozen)
        metrics.append(jax.device_get(values))
    return jax.device_get(state), metrics


@pytest.mark.parametrize("name", ["ssc", "adc"])
def test_eight_devices_compute_what_one_device_computes(name):
    one, eight = run(name, jax.devices()[:1]), run(name, jax.devices())
    chex.assert_trees_all_close(one, eight, rtol=1e-5, atol=1e-5)
    chex.assert_tree_all_finite(one)
    assert all(values["kept"] > 0 for values in one[1])


def test_a_step_with_an_averaged_target_moves_projector_and_predictor_and_not_the_classifier():
    before = initial_state(make_setting("byol")[0]).params
    after, metrics = run("byol", jax.devices()[:1])
    chex.assert_tree_all_finite((after, metrics))
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, after.params)
    for part in ("projector", "predictor"):
        assert moved[part]["hidden"]["kernel"] and moved[part]["out"]["kernel"]
    assert metrics[0]["loss"] == metrics[0]["prediction"] > 0
    # Two steps of a hundredth: the average stays between the start and the weights.
    gap = jax.tree.map(lambda a, b: np.abs(a - b).sum(), after.ema, before)
    whole = jax.tree.map(lambda a, b: np.abs(a - b).sum(), after.params, before)
    assert 0 < sum(jax.tree.leaves(gap)) < 0.03 * sum(jax.tree.leaves(whole))


@pytest.mark.parametrize("name", SEEN)
def test_the_passes_made_are_those_that_are_read(name):
    setting, frozen = make_setting(name)
    batch = make_batches("second" in setting.method.reads)[0]
    batch = jax.tree.map(jnp.asarray, batch)
    state = initial_state(setting)

    def outputs(params):
        return forward(setting, params, state, batch, frozen)[-1]

    seen = jax.eval_shape(outputs, state.params)
    assert {made for made in PASSES if getattr(seen, made) is not None} == SEEN[name]
    assert len(seen.prior) == (name == "adc")
    assert (seen.prototypes is not None) == (name == "ssc")
