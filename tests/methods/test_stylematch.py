import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import IS_LABELED, B, N, outcome, prediction, surprise
from toy import Toy

from jaxclr.errors import InputError
from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import Consistency, FixedThreshold
from jaxclr.methods.stylematch import StyleConsistency, stylematch
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Stochastic
from jaxclr.models.style import FourierStyle, NoStyle
from jaxclr.optim import Sgd
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.split import draw_split
from jaxclr.training.layout import make_layout
from jaxclr.training.passes import forward
from jaxclr.training.state import Frozen, Setting, initial_state
from jaxclr.training.step import make_train_step

TRUSTED = [1, 0, 0, 1, 1, 0, 0.5, 0, 0, 1, 1, 0]
ROWS, DOMAINS = 8, 2


def restyled(trusted=TRUSTED):
    rng = np.random.default_rng(8)
    return outcome(trusted=trusted)._replace(style=prediction(rng, B))


def make_setting(method) -> Setting:
    return Setting(
        network=ConvNet(width=4, size=16, classifier=Stochastic()).build(3, seed=1),
        method=method,
        optimizer=Sgd().build(steps=9),
        num_classes=3,
        num_domains=DOMAINS,
        steps=9,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )


def make_batch():
    collection = Toy().load()
    sources = collection.domains[:DOMAINS]
    split = draw_split(sources, collection.classes, labels_per_class=3, seed=1)
    augment = Augment(size=16, flip=0.0, cutout=4)
    return Batches(sources, split, augment, seed=1, steps=9, batch_per_domain=ROWS)[0]


@functools.lru_cache
def outputs_of(method, step: int = 0):
    setting = make_setting(METHODS[method])
    state = initial_state(setting)._replace(step=jnp.int32(step))
    run = jax.jit(functools.partial(forward, setting))
    return run(state.params, state, make_batch(), Frozen())[2]


METHODS = {
    "plain": stylematch(style=NoStyle(), threshold=0.5),
    "fourier": stylematch(threshold=0.5),
}


@pytest.mark.parametrize("labeled", [True, False])
def test_style_consistency_is_the_mean_of_each_domain_summed_over_the_domains(labeled):
    outputs, total = restyled(), 0.0
    for domain in range(N):
        own = [
            e for e in range(B) if outputs.domain[e] == domain and (labeled or not IS_LABELED[e])
        ]
        kept = [
            float(outputs.pseudo.weight[e])
            * surprise(outputs.style.logits[e], int(outputs.pseudo.label[e]))
            for e in own
        ]
        total += sum(kept) / len(own)
    found = StyleConsistency(labeled=labeled)(outputs)
    np.testing.assert_allclose(found, total, rtol=1e-6)


def test_an_untrusted_guess_has_no_gradient_and_a_trusted_one_does():
    outputs = restyled()

    def value(logits):
        return StyleConsistency()(outputs._replace(style=outputs.style._replace(logits=logits)))

    slope = jax.grad(value)(outputs.style.logits)
    assert (slope != 0).any(1).tolist() == [bool(t) for t in TRUSTED]


def test_without_a_trusted_guess_it_is_zero():
    assert StyleConsistency()(restyled([0] * B)) == 0


def test_without_restyled_views_it_says_what_is_missing():
    with pytest.raises(InputError, match="a pass over restyled views"):
        StyleConsistency()(outcome())


def test_its_knobs_arrive_where_they_belong():
    method = stylematch(
        style=NoStyle(), threshold=0.7, unlabeled_weight=3.0, style_weight=0.5, labeled=False
    )
    assert method.labeler == FixedThreshold(0.7) and method.style == NoStyle()
    assert method.terms == {
        "supervised": Supervised(),
        "consistency": Consistency(3.0, False),
        "style": StyleConsistency(0.5, False),
    }
    assert stylematch().style == FourierStyle()
    assert stylematch().reads == {"labeled", "pseudo", "strong", "style"}
    assert [term.weight for term in stylematch().terms.values()] == [1.0, 1.0, 1.0]


def test_it_goes_with_fixclr():
    method = fixclr(stylematch(), weight=1.0)
    assert method.style == FourierStyle()
    loss, terms = method.loss(restyled())
    assert list(terms) == ["supervised", "consistency", "style", "repulsion"]
    np.testing.assert_allclose(loss, sum(float(x) for x in terms.values()), rtol=1e-6)


def test_without_a_style_its_pass_sees_the_weak_views_and_draws_other_weights():
    outputs = outputs_of("plain")
    np.testing.assert_allclose(outputs.style.features, outputs.weak.features, rtol=1e-4, atol=1e-5)
    mu = make_setting(METHODS["plain"]).network.params["head"]["mu"]

    def cosines(features):
        features = np.asarray(features, np.float64)
        length = np.linalg.norm(features, axis=1)[:, None] * np.linalg.norm(mu, axis=1)
        return features @ mu.T / np.maximum(length, 1e-9) / 0.05

    # The guess is by the weights' mean, what learns is not.
    expected = cosines(outputs.weak.features)
    np.testing.assert_allclose(outputs.weak.logits, expected, rtol=1e-3, atol=1e-3)
    for learned in (outputs.style, outputs.strong, outputs.labeled):
        assert not np.allclose(learned.logits, cosines(learned.features), atol=0.1)


def test_a_style_changes_what_its_pass_sees_and_no_other_pass():
    plain, fourier = outputs_of("plain"), outputs_of("fourier")
    for name in ("weak", "labeled", "strong"):
        ours, theirs = (getattr(outputs, name).features for outputs in (fourier, plain))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert not np.allclose(fourier.style.features, plain.style.features, atol=0.05)


def test_looks_and_weights_are_drawn_anew_at_every_step_and_alike_at_the_same():
    first, later = outputs_of("fourier"), outputs_of("fourier", step=1)
    outputs_of.cache_clear()
    chex.assert_trees_all_equal(first.style, outputs_of("fourier").style)
    assert not np.allclose(first.style.features, later.style.features, atol=1e-3)
    assert not np.allclose(first.labeled.logits, later.labeled.logits, atol=1e-2)
    np.testing.assert_allclose(first.weak.logits, later.weak.logits, rtol=1e-6)


def test_eight_devices_compute_what_one_device_computes():
    setting, found = make_setting(METHODS["fourier"]), []
    for devices in (jax.devices()[:1], jax.devices()):
        layout = make_layout(ROWS, devices)
        step = jax.jit(make_train_step(setting), out_shardings=layout.replicated)
        state = layout.put_state(initial_state(setting))
        found.append(jax.device_get(step(state, layout.put_batch(make_batch()))))
    chex.assert_trees_all_close(*found, rtol=1e-4, atol=1e-5)
    (after, metrics), _ = found
    assert metrics["kept"] > 0 and metrics["style"] > 0
    before = setting.network.params["head"]["sigma"]
    assert not np.array_equal(after.params["head"]["sigma"], before), "the deviation is learned"
