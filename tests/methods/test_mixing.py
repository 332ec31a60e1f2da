"""Mixed images against what can be read off them: pixel by pixel, pair by pair."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import LABELED, N, outcome, surprise

from jaxclr.errors import InputError
from jaxclr.methods.erm import Supervised, erm
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.mixing import CutMix, MixUp, NoMixing, companions
from jaxclr.methods.simclr import simclr
from jaxclr.methods.ssc import ssc
from jaxclr.types import Mixture

KINDS = (MixUp(1.0), CutMix(1.0))
both = pytest.mark.parametrize("mixing", KINDS, ids=str)


def numbered(count: int, h: int = 6, w: int = 9) -> np.ndarray:
    """Images of one value each, by which their pixels are known."""
    return np.broadcast_to(np.arange(count)[:, None, None, None] / 256, (count, h, w, 3)).astype(
        "f4"
    )


def mixed(mixing, images, num_domains=N, seed=0):
    """Mixed images, companions (each image is its own label) and shares."""
    label = jnp.arange(len(images))
    found, mixture = mixing(jnp.asarray(images), label, num_domains, jax.random.key(seed))
    return np.asarray(found), np.asarray(mixture.label), np.asarray(mixture.share)


def in_box(images, companion):
    """Which pixels are the companion's, of images with one value each."""
    own, other = (numbered(len(images))[which] for which in (np.arange(len(images)), companion))
    foreign = images == other
    assert (foreign | (images == own)).all()
    assert (foreign == foreign[..., :1]).all()
    return foreign[..., 0] & (companion != np.arange(len(images)))[:, None, None]


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_companions_are_a_shuffle_of_each_domain(rows, num_domains, seed):
    drawn = np.asarray(companions(rows * num_domains, num_domains, jax.random.key(seed)))
    assert sorted(drawn) == list(range(rows * num_domains))
    np.testing.assert_array_equal(drawn % num_domains, np.arange(len(drawn)) % num_domains)


def test_every_image_of_the_domain_is_as_likely_and_domains_are_shuffled_apart():
    draw = jax.vmap(lambda key: companions(8, 2, key))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(0), 4000)))
    for place in range(8):
        counts = np.bincount(drawn[:, place], minlength=8) / 4000
        np.testing.assert_allclose(counts[place % 2 :: 2], 0.25, atol=0.04)
    alike = (drawn[:, 0] // 2 == drawn[:, 1] // 2).mean()
    assert alike == pytest.approx(0.25, abs=0.04)


def test_mixup_is_the_weighted_mean_of_each_pair():
    images = np.random.default_rng(0).uniform(size=(8, 4, 5, 3)).astype(np.float32)
    found, companion, share = mixed(MixUp(1.0), images)
    for e in range(8):
        expected = share[e] * images[e].astype(float) + (1 - share[e]) * images[companion[e]]
        np.testing.assert_allclose(found[e], expected, atol=1e-6)
    assert len(set(share.tolist())) == 8 and share.min() >= 0 and share.max() <= 1


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_of_mixup_have_the_moments_of_the_beta_distribution(alpha):
    *_, share = mixed(MixUp(alpha), numbered(4000, 1, 1))
    assert share.mean() == pytest.approx(0.5, abs=0.03)
    assert share.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_cutmix_shows_one_box_of_the_companion_and_its_share_is_of_the_pixels():
    images, companion, share = mixed(CutMix(1.0), numbered(40))
    boxes, own = in_box(images, companion), companion == np.arange(40)
    assert boxes.any((1, 2)).sum() > 20
    for e in np.flatnonzero(~own):
        rows, columns = boxes[e].any(1), boxes[e].any(0)
        np.testing.assert_array_equal(boxes[e], rows[:, None] & columns)
        for line in (rows, columns):
            assert (np.diff(np.flatnonzero(line)) == 1).all()
        np.testing.assert_allclose(share[e], 1 - boxes[e].mean(), atol=1e-6)


@pytest.mark.parametrize("wanted", [0.0, 0.3, 0.75, 1.0])
def test_the_box_has_the_proportions_and_the_area_wanted_where_no_border_cuts_it(
    monkeypatch, wanted
):
    monkeypatch.setattr(jax.random, "beta", lambda key, a, b, shape: jnp.full(shape, wanted))
    images, companion, _ = mixed(CutMix(1.0), numbered(200))
    boxes = in_box(images, companion)[companion != np.arange(200)]
    for lines, length in ((boxes.any(2), 6), (boxes.any(1), 9)):
        side = int(np.floor(length * np.sqrt(1 - wanted)))
        long = lines.sum(1)
        assert long.max(initial=0) <= side
        within = ~(lines[:, 0] | lines[:, -1]) & (long > 0)
        assert (long[within] == side).all()
        assert within.any() == (0 < side < length - 1)


@pytest.mark.parametrize(("wanted", "sides"), [(0.97, (1, 1)), (0.75, (3, 4))], ids=str)
def test_the_centre_of_the_box_is_uniform_over_the_pixels(monkeypatch, wanted, sides):
    monkeypatch.setattr(jax.random, "beta", lambda key, a, b, shape: jnp.full(shape, wanted))
    images, companion, _ = mixed(CutMix(1.0), numbered(3000))
    boxes = (images != numbered(3000))[companion != np.arange(3000), ..., 0]
    shown = []
    for side, length in zip(sides, (6, 9), strict=True):
        covered = np.zeros(length)
        for centre in range(length):
            covered[max(centre - side // 2, 0) : centre - side // 2 + side] += 1 / length
        shown.append(covered)
    expected = np.outer(*shown)
    np.testing.assert_allclose(boxes.mean(0), expected, atol=0.04)
    np.testing.assert_allclose(boxes.mean(), expected.mean(), rtol=0.1)


@both
def test_another_key_gives_other_companions_and_shares_and_the_same_one_the_same(mixing):
    one, again, other = (mixed(mixing, numbered(16), seed=seed) for seed in (0, 0, 1))
    for a, b, c in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


@both
def test_an_image_that_is_alone_in_its_domain_comes_back(mixing):
    images = np.random.default_rng(0).uniform(size=(3, 4, 4, 3)).astype(np.float32)
    found, companion, _ = mixed(mixing, images, num_domains=3)
    np.testing.assert_allclose(found, images, atol=1e-6)
    np.testing.assert_array_equal(companion, [0, 1, 2])


def test_no_mixing_gives_the_images_back_as_all_their_own():
    images, companion, share = mixed(NoMixing(), numbered(4))
    np.testing.assert_array_equal(images, numbered(4))
    assert companion.tolist() == [0, 1, 2, 3] and (share == 1).all()


def test_the_supervised_term_is_the_double_loop_over_domains_and_both_labels():
    rng, outputs = np.random.default_rng(3), outcome()
    other, share = rng.integers(0, 3, LABELED), rng.uniform(size=LABELED)
    mixture = Mixture(jnp.asarray(other), jnp.asarray(share, jnp.float32))
    total = 0.0
    for domain in range(N):
        own = range(domain, LABELED, N)
        for e in own:
            logits = outputs.labeled.logits[e]
            total += share[e] * surprise(logits, outputs.label[e]) / len(own)
            total += (1 - share[e]) * surprise(logits, other[e]) / len(own)
    found = Supervised()(outputs._replace(mixture=mixture))
    np.testing.assert_allclose(found, total, rtol=1e-5)


def test_with_all_of_the_own_image_it_is_the_plain_loss():
    outputs = outcome()
    mixture = Mixture((outputs.label + 1) % 3, jnp.ones(LABELED))
    assert Supervised()(outputs._replace(mixture=mixture)) == Supervised()(outputs)


def test_mixing_is_refused_where_a_term_would_take_an_image_for_one_of_its_class_alone():
    with pytest.raises(InputError, match=r"The term 'contrast' takes.*CutMix\(alpha=1\.0\)"):
        dataclasses.replace(ssc(), mixing=CutMix())
    with pytest.raises(InputError, match=r"No term looks at labeled images.*MixUp"):
        dataclasses.replace(simclr(), mixing=MixUp())
    for method in (erm(), fixclr()):
        assert dataclasses.replace(method, mixing=MixUp()).mixing == MixUp(0.2)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_an_alpha_that_is_no_parameter_of_a_beta_distribution_is_refused(alpha):
    with pytest.raises(InputError, match=r"alpha is .*above 0"):
        CutMix(alpha)
