"""What a step makes of views that a method mixes, gives one style, or shows in small windows."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fourier import standardised
from test_passes import N, joined, make_setting, outputs_of, same
from toy import Toy

from jaxclr.methods.byol import byol
from jaxclr.methods.method import Term
from jaxclr.methods.mixing import CutMix, MixUp
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Mlp
from jaxclr.models.style import BatchStyle
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.self_supervised import SelfSupervised
from jaxclr.pipeline.split import draw_split
from jaxclr.training.layout import make_layout
from jaxclr.training.passes import normalise
from jaxclr.training.state import Setting, initial_state
from jaxclr.training.step import make_train_step

ROWS, C = 8, 3
VIEWS = SelfSupervised(size=16, crops=C, crop_size=16, mean=(0.5,) * 3, std=(0.25,) * 3)


@dataclasses.dataclass(frozen=True)
class Reads(Term):
    """Looks at labeled, strong, and small views."""

    reads = ("labeled", "strong", "second", "average", "crops")
    mixed = True

    def __call__(self, outputs):
        return outputs.strong.logits.mean()


def make_batch(step=1, rows=4):
    collection = Toy().load()
    split = draw_split(collection.domains[:N], collection.classes, labels_per_class=3, seed=1)
    return Batches(
        collection.domains[:N], split, VIEWS,
        seed=1, steps=3, batch_per_domain=rows, second=True, crops=True,
    )[step]  # fmt: skip


def with_options(**options) -> Setting:
    setting = make_setting(Reads())
    return setting._replace(method=dataclasses.replace(setting.method, **options))


@pytest.fixture(scope="module")
def plain():
    setting = with_options()
    return setting, *outputs_of(setting, batch=make_batch())


@pytest.fixture(scope="module")
def features(plain):
    """What the first network sees in images, in a pass by itself."""
    network = plain[0].network

    def seen(pixels):
        return network(network.params, network.stats, pixels, groups=N, train=True)[0].features

    compiled = jax.jit(seen)
    return lambda images: np.asarray(compiled(normalise(images, (0.5,) * 3, (0.25,) * 3)))


def bytes_of(labels):
    return make_batch().labeled.weak[labels].astype(np.float64) / 255


def test_labeled_views_alone_are_mixed_and_what_is_told_of_them_is_true(
    plain, features, monkeypatch
):
    seen, blend = [], MixUp.blend

    def watched(self, own, other, share, key):
        images, share = blend(self, own, other, share, key)
        jax.debug.callback(lambda *given: seen.append(given), own, other, images, share)
        return images, share

    monkeypatch.setattr(MixUp, "blend", watched)
    setting = with_options(mixing=MixUp(1.0))
    _, outputs = outputs_of(setting, batch=make_batch())
    jax.effects_barrier()
    ((own, other, images, share),) = seen
    np.testing.assert_allclose(own, bytes_of(np.arange(8)), atol=1e-6)
    label = make_batch().labeled.label
    for e in range(8):
        mates = [m for m in range(e % N, 8, N) if np.allclose(other[e], bytes_of([m])[0])]
        assert len(mates) == 1 and outputs.mixture.label[e] == label[mates[0]]
    np.testing.assert_array_equal(outputs.mixture.share, share)
    same(outputs.labeled.features, features(np.asarray(images)))
    assert not np.allclose(outputs.labeled.features, plain[2].labeled.features, atol=1e-3)
    for name in ("strong", "second", "average", "crops"):
        chex.assert_trees_all_close(getattr(outputs, name), getattr(plain[2], name), rtol=1e-4)


def test_strong_views_get_a_style_each_and_all_networks_see_them_alike(plain, features):
    setting = with_options(batch_style=BatchStyle(1.0, 0.1, 0.1))
    _, outputs = outputs_of(setting, batch=make_batch())
    lenders = []
    for field, average in zip(("strong", "second"), outputs.average, strict=True):
        views = np.asarray(joined(make_batch(), field)) / np.float32(255)
        found = getattr(outputs, field).features
        styled = (standardised(views, one, 0.1).astype(np.float32) for one in range(len(views)))
        near = [np.allclose(found, features(x), rtol=1e-3, atol=1e-3) for x in styled]
        assert sum(near) == 1
        lenders.append(near.index(True))
        same(average.features, found)
    assert lenders[0] != lenders[1]
    for name in ("labeled", "crops"):
        chex.assert_trees_all_close(getattr(outputs, name), getattr(plain[2], name), rtol=1e-4)


def test_small_windows_are_seen_in_one_pass_and_told_window_by_window(plain, features):
    outputs = plain[2]
    batch, images, places = make_batch(), [], []
    every = np.stack([joined(batch, "crops")[:, window] for window in range(C)])
    for row in range(every.shape[1] // N):
        for window in range(C):
            for domain in range(N):
                places.append((window, row * N + domain))
                images.append(every[places[-1]])
    found = features(np.stack(images))
    assert len(outputs.crops) == C
    for (window, image), expected in zip(places, found, strict=True):
        same(outputs.crops[window].features[image], expected)


def test_nothing_is_mixed_styled_or_windowed_unless_told(plain, features):
    outputs = plain[2]
    assert outputs.mixture is None
    for name, images in (("labeled", make_batch().labeled.weak),
                         ("strong", joined(make_batch(), "strong"))):  # fmt: skip
        same(getattr(outputs, name).features, features(images))
    never = with_options(batch_style=BatchStyle(0.0, 0.5, 0.9))
    chex.assert_trees_all_equal(outputs_of(never, batch=make_batch())[1], outputs)


def on(devices):
    """All that a step sees with all options, computed by so many devices."""
    setting = with_options(mixing=CutMix(), batch_style=BatchStyle(0.9, 0.0, 0.3))
    layout = make_layout(ROWS, devices)
    batch = layout.put_batch(make_batch(0, ROWS))
    state = layout.put_state(initial_state(setting, 5))
    return jax.device_get(outputs_of(setting, state, batch=batch))


def test_eight_devices_see_what_one_device_sees():
    (one, ours), (eight, theirs) = on(jax.devices()[:1]), on(jax.devices())
    chex.assert_trees_all_close(one, eight, rtol=1e-4, atol=1e-5)
    for name in ("mixture", "labeled", "strong", "second", "average", "crops"):
        chex.assert_trees_all_close(
            getattr(ours, name), getattr(theirs, name), rtol=1e-4, atol=1e-4
        )
    assert 0 < ours.mixture.share.min() < 1


def test_how_strongly_small_windows_pull_is_told_like_that_of_other_terms():
    heads = {"projector": Mlp(), "predictor": Mlp(normalised=True)}
    setting = with_options()._replace(
        network=ConvNet(width=4, size=16, **heads).build(3, seed=1),
        method=byol(windows_weight=2.0), gradient_norms=True,
    )  # fmt: skip
    step, batch = make_train_step(setting), jax.tree.map(jnp.asarray, make_batch())
    _, metrics = jax.eval_shape(step, initial_state(setting), batch)
    assert {"windows_gradient", "prediction_gradient"} <= metrics.keys()
