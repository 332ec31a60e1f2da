import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import Toy, toy_experiment

from jaxclr.methods.erm import Nobody
from jaxclr.methods.method import Method, Term
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Linear, Prototypes
from jaxclr.models.style import Style
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.split import draw_split
from jaxclr.training.passes import PURPOSES, Passes, forward, normalise
from jaxclr.training.rows import join
from jaxclr.training.state import Frozen, Setting, initial_state

N = 2
READS = ("labeled", "pseudo", "strong", "second", "learned", "style", "average", "teacher")


@dataclasses.dataclass(frozen=True)
class Everything(Term):
    """Reads all there is."""

    reads = READS

    def __call__(self, outputs):
        return outputs.strong.logits.mean()


@dataclasses.dataclass(frozen=True)
class StrongAlone(Term):
    """Reads one pass."""

    reads = ("strong",)

    def __call__(self, outputs):
        return outputs.strong.logits.mean()


@dataclasses.dataclass(frozen=True)
class Darker(Style):
    """Halves the light, by a frozen factor, and says which key it got."""

    def load(self):
        return jnp.float32(0.5)

    def __call__(self, arrays, images, domain, key):
        return images * arrays


def make_batch():
    collection, experiment = Toy().load(), toy_experiment()
    split = draw_split(collection.domains[:N], collection.classes, labels_per_class=3, seed=1)
    batches = Batches(
        collection.domains[:N], split, experiment.augment,
        seed=1, steps=3, batch_per_domain=4, second=True,
    )  # fmt: skip
    return batches[1]


def make_setting(term=None, classifier=None, **changes):
    method = Method({"term": term or Everything()}, Nobody(), style=Darker())
    model = ConvNet(width=4, size=16, classifier=classifier or Linear(dropout=0.3, samples=2))
    return Setting(
        network=model.build(3, seed=1), method=method,
        optimizer=toy_experiment().optimizer.build(steps=9), num_classes=3, num_domains=N, steps=9,
        mean=(0.5,) * 3, std=(0.25,) * 3, ema_decay=0.9, **changes,
    )  # fmt: skip


def outputs_of(setting, state=None, frozen=None, batch=None):
    """What the terms see, by one compiled call."""
    state = state or initial_state(setting, 5)

    def seen(params, state, batch, frozen):
        stats, _, outputs = forward(setting, params, state, batch, frozen)
        return stats, outputs._replace(num_domains=0)

    frozen = Frozen(style=setting.method.style.load()) if frozen is None else frozen
    return jax.jit(seen)(state.params, state, batch or make_batch(), frozen)


@pytest.fixture(scope="module")
def everything():
    setting = make_setting()
    moved = jax.tree.map(lambda x: x + 0.01, setting.network.params)
    state = initial_state(setting, 5)._replace(ema=moved)
    return setting, state, *outputs_of(setting, state)


def alone(setting, params, stats, images, **how):
    """One pass by itself."""
    pixels = normalise(images, setting.mean, setting.std)
    call = jax.jit(lambda p, s, x: setting.network(p, s, x, groups=N, **how))
    return call(params, stats, pixels)


def joined(batch, field):
    return join(getattr(batch.labeled, field), getattr(batch.unlabeled, field), N)


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_passes_record_statistics_one_after_another_in_the_protocol_s_order(everything):
    setting, state, stats, outputs = everything
    batch = make_batch()
    weak = joined(batch, "weak")
    views = [weak, batch.labeled.weak, joined(batch, "strong"), joined(batch, "second"), weak]
    views.append(np.float32(0.5) * (weak / np.float32(255)))
    expected = state.stats
    for images in views:
        prediction, expected = alone(setting, state.params, expected, images, train=True)
    jax.tree.map(same, stats, expected)
    # The last pass is over the restyled views.
    same(outputs.style.features, prediction.features)


def test_views_are_of_all_images_row_by_row_and_labeled_ones_alone(everything):
    setting, state, _, outputs = everything
    batch = make_batch()
    for seen, images in (
        (outputs.weak, joined(batch, "weak")), (outputs.strong, joined(batch, "strong")),
        (outputs.second, joined(batch, "second")), (outputs.labeled, batch.labeled.weak),
        (outputs.learned, joined(batch, "weak")),
    ):  # fmt: skip
        prediction, _ = alone(setting, state.params, state.stats, images, train=True)
        same(seen.features, prediction.features)
    given = np.concatenate([batch.labeled.label.reshape(4, N), np.full((4, N), -1)], 1).ravel()
    np.testing.assert_array_equal(outputs.given, given)


def test_averaged_weights_see_both_strong_views_and_weak_ones_and_record_nothing(everything):
    setting, state, _, outputs = everything
    batch = make_batch()
    pairs = zip((*outputs.average, outputs.teacher), ("strong", "second", "weak"), strict=True)
    for seen, field in pairs:
        prediction, _ = alone(setting, state.ema, state.stats, joined(batch, field), train=True)
        same(seen.features, prediction.features)


def test_a_guess_is_deterministic_and_has_samples_while_learning_drops(everything):
    setting, state, _, outputs = everything
    weak = joined(make_batch(), "weak")
    plain, _ = alone(setting, state.params, state.stats, weak, train=True)
    same(outputs.weak.logits, plain.logits)
    assert outputs.weak.samples.shape == (2, *plain.logits.shape)
    assert outputs.learned.samples is None
    assert not np.allclose(outputs.learned.logits, plain.logits, atol=1e-3)


def test_what_no_term_reads_is_not_there():
    setting = make_setting(StrongAlone())
    _, outputs = outputs_of(setting)
    missing = ("labeled", "weak", "pseudo", "second", "learned", "style", "average", "teacher")
    assert all(getattr(outputs, name) is None for name in missing)
    assert outputs.strong is not None and outputs.prior == () and outputs.prototypes is None


def test_trainable_prototypes_are_shown_with_their_gradient():
    setting = make_setting(StrongAlone(), Prototypes())
    state, batch = initial_state(setting), make_batch()

    def total(params):
        return forward(setting, params, state, batch, Frozen())[2].prototypes.sum()

    slope = jax.jit(jax.grad(total))(setting.network.params)
    np.testing.assert_array_equal(slope["head"]["prototypes"], 1)


def test_a_frozen_encoder_sees_the_strong_views_by_its_running_statistics():
    encoder = ConvNet(width=3, size=16).build(1, seed=8)
    stats = jax.tree.map(lambda x: x + 0.5, encoder.stats)
    setting = make_setting(StrongAlone(), prior=encoder)
    _, outputs = outputs_of(setting, frozen=Frozen(prior=(encoder.params, stats)))
    pixels = normalise(joined(make_batch(), "strong"), setting.mean, setting.std)
    expected, _ = encoder(encoder.params, stats, pixels, groups=1, train=False)
    (seen,) = outputs.prior
    same(seen, expected.features)


def test_keys_are_of_the_seed_the_step_and_what_they_are_for():
    setting = make_setting()
    states = [
        initial_state(setting, seed)._replace(step=jnp.int32(step)) for seed, step in
        ((1, 0), (1, 1), (2, 0))
    ]  # fmt: skip
    keys = [
        tuple(jax.random.key_data(Passes(setting, state, make_batch()).key(purpose)).tolist())
        for state in states
        for purpose in PURPOSES
    ]
    assert len(set(keys)) == 3 * len(PURPOSES)
    again = Passes(setting, states[1], make_batch()).key("terms")
    assert (
        tuple(jax.random.key_data(again).tolist()) == keys[len(PURPOSES) + PURPOSES.index("terms")]
    )
