import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import B, K, N, label_by, outcome, prediction, saying, surprise

from jaxclr.errors import InputError
from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import Consistency, FixedThreshold
from jaxclr.methods.uplm import Certain, certainty, uplm
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Linear
from jaxclr.types import Prediction

DRAWS = 10


def drawn(seed: int = 0, b: int = B, spread: float = 1.0) -> jax.Array:
    """Logits of several draws; images differ in how far theirs are spread."""
    rng = np.random.default_rng(seed)
    scale = spread * rng.uniform(0.1, 2, (1, b, 1))
    return jnp.asarray(rng.normal(size=(DRAWS, b, K)) * scale + rng.normal(size=K), jnp.float32)


def varied(variance: float) -> jax.Array:
    """Draws of one image, all of whose logits have exactly this population variance."""
    ends = np.where(np.arange(DRAWS) % 2, 1.0, -1.0) * np.sqrt(variance)
    return jnp.asarray(np.tile(ends[:, None, None], (1, 1, K)), jnp.float32)


def test_certainty_is_one_less_tanh_of_the_variance_of_the_guessed_logit():
    samples, label = drawn(), np.random.default_rng(1).integers(0, K, B)
    for e, found in enumerate(certainty(samples, jnp.asarray(label))):
        logits = [float(samples[s, e, label[e]]) for s in range(DRAWS)]
        mean = sum(logits) / DRAWS
        variance = sum((x - mean) ** 2 for x in logits) / DRAWS
        assert found == pytest.approx(1 - np.tanh(variance), rel=1e-4, abs=1e-6)


def test_draws_that_agree_are_certain_and_draws_far_apart_are_not():
    label = jnp.zeros(1, int)
    assert certainty(varied(0.0), label) == 1
    assert certainty(varied(0.0)[:1], label) == 1
    assert certainty(varied(1e4), label) == 0
    assert np.isfinite(certainty(1e4 * varied(1.0), label)).all()


def test_half_precision_draws_vary_in_single_precision():
    samples, label = drawn().astype(jnp.bfloat16), jnp.zeros(B, int)
    found = certainty(samples, label)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, certainty(samples.astype(jnp.float32), label))


def test_a_guess_is_trusted_that_is_both_confident_and_certain():
    said = saying([[0.96, 0.03, 0.01], [0.02, 0.97, 0.01], [0.9, 0.05, 0.05], [0.9, 0.1, 0.0]])
    # 1 - tanh(variance) is near 0.9, 0.3, 0.9, 0.3.
    samples = jnp.concatenate([varied(v) for v in (0.1, 0.867, 0.1, 0.867)], axis=1)
    pseudo = label_by(Certain(0.95, 0.5), said._replace(samples=samples))
    assert pseudo.label.tolist() == [0, 1, 0, 0]
    assert pseudo.weight.tolist() == [1, 0, 0, 0]
    lenient = label_by(Certain(0.95, 0.2), said._replace(samples=samples))
    assert lenient.weight.tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(pseudo.confidence, [0.96, 0.97, 0.9, 0.9], rtol=1e-5)


def test_the_thresholds_are_the_first_values_that_suffice():
    said = saying([[0.25, 0.5, 0.25]])._replace(samples=varied(0.5))
    confidence = float(label_by(Certain(0.0, 0.0), said).confidence[0])
    certain = float(certainty(varied(0.5), jnp.ones(1, int))[0])
    assert label_by(Certain(confidence, certain), said).weight == 1
    above = [float(np.nextafter(np.float32(x), np.float32(1))) for x in (confidence, certain)]
    assert label_by(Certain(above[0], certain), said).weight == 0
    assert label_by(Certain(confidence, above[1]), said).weight == 0


def test_the_paper_thresholds_would_trust_every_draw_of_probabilities():
    """Why logits vary: probabilities as far apart as they can be are certain enough for all."""
    apart = jnp.asarray(
        np.where(np.arange(DRAWS) % 2, 1.0, 0.0)[:, None, None] * np.ones((1, 1, K))
    )
    assert certainty(apart, jnp.zeros(1, int)) > 0.7


def test_with_draws_that_agree_it_is_fixmatch():
    said = prediction(np.random.default_rng(0), B)
    said = said._replace(logits=3 * said.logits)
    still = said._replace(samples=jnp.tile(said.logits, (DRAWS, 1, 1)))
    ours, theirs = label_by(Certain(0.8, 0.999), still), label_by(FixedThreshold(0.8), said)
    assert 0 < theirs.weight.sum() < B
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_guesses_are_about_the_same_image_row_by_row():
    said = prediction(np.random.default_rng(3), B)._replace(samples=drawn())
    order = np.random.default_rng(4).permutation(B)
    moved = Prediction(*(x[order] for x in said[:3]), samples=said.samples[:, order])
    labeler = Certain(0.4, 0.3)
    pseudo = label_by(labeler, said)
    assert 0 < pseudo.weight.sum() < B
    for found, expected in zip(label_by(labeler, moved), pseudo, strict=True):
        np.testing.assert_allclose(found, expected[order], rtol=1e-6)


def test_a_classifier_without_dropout_is_told_what_to_do():
    with pytest.raises(InputError, match=r"drops none\. Give.*Linear\(dropout=0\.2, samples=10\)"):
        label_by(Certain(), prediction(np.random.default_rng(0), B))


def test_the_classifier_it_names_gives_the_draws_it_needs():
    """Guesses of a network: the variance of a dropped sum is known in closed form."""
    rate = 0.2
    head = Linear(dropout=rate, samples=DRAWS, learns_whole=True)
    network = ConvNet(width=8, size=16, classifier=head).build(K, seed=0)
    images = jnp.asarray(np.random.default_rng(0).normal(size=(B, 16, 16, 3)), jnp.float32)
    run = jax.jit(functools.partial(network, groups=N, train=True, guess=True))
    several = [run(network.params, network.stats, images, key=jax.random.key(i)) for i in range(40)]
    said = several[0][0]
    assert said.samples.shape == (DRAWS, B, K)
    said = said._replace(samples=jnp.concatenate([found.samples for found, _ in several]))
    pseudo = label_by(Certain(0.0, 0.9), said)
    features = np.asarray(said.features, np.float64)
    kernel = network.params["head"]["kernel"].astype(np.float64)
    for e in range(B):
        parts = features[e] * kernel[:, int(pseudo.label[e])]
        variance = rate / (1 - rate) * (parts**2).sum()
        found = certainty(said.samples, pseudo.label)[e]
        assert np.arctanh(1 - float(found)) == pytest.approx(variance, rel=0.35)


def test_its_knobs_arrive_where_they_belong():
    method = uplm(threshold=0.7, least_certainty=0.5, unlabeled_weight=3.0, labeled=False)
    assert method.labeler == Certain(0.7, 0.5)
    assert method.terms == {"supervised": Supervised(), "consistency": Consistency(3.0, False)}
    assert uplm().labeler == Certain(threshold=0.95, least_certainty=0.2)


def test_it_goes_with_fixclr():
    method = fixclr(uplm(), weight=1.0)
    assert method.labeler == Certain() and list(method.terms)[-1] == "repulsion"
    outputs = outcome(trusted=[1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0])
    loss, terms = method.loss(outputs)
    np.testing.assert_allclose(loss, sum(float(x) for x in terms.values()), rtol=1e-6)
    kept = [
        float(outputs.pseudo.weight[e])
        * surprise(outputs.strong.logits[e], int(outputs.pseudo.label[e]))
        for e in range(B)
    ]
    np.testing.assert_allclose(terms["consistency"], N * sum(kept) / B, rtol=1e-6)
