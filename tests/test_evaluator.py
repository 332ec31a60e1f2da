import dataclasses

import jax
import numpy as np
import pytest
from toy import Toy, toy_experiment

from jaxclr.evaluation import make_predict, over_images
from jaxclr.evaluator import Evaluator, domains_probed
from jaxclr.pipeline.split import draw_split, left_out
from jaxclr.probe import Classify, Probe, domain_probe, linear_probe, nearest_neighbors
from jaxclr.training.layout import make_layout
from jaxclr.training.state import Setting, initial_state

EXPERIMENT = toy_experiment()
COLLECTION = Toy().load()
*SOURCES, TARGET = COLLECTION.domains
SPLIT = draw_split(SOURCES, COLLECTION.classes, labels_per_class=3, seed=1)
LAYOUT = make_layout(8, jax.devices()[:1])
SETTING = Setting(
    EXPERIMENT.model.build(3, seed=1), EXPERIMENT.method, EXPERIMENT.optimizer.build(steps=1),
    num_classes=3, num_domains=2, steps=1, mean=(0.5,) * 3, std=(0.5,) * 3, ema_decay=0.9,
)  # fmt: skip
PREDICT = make_predict(SETTING.network, EXPERIMENT.augment, SETTING.dtype, LAYOUT)
STATE = initial_state(SETTING)


def evaluator(split=SPLIT, **changes) -> Evaluator:
    experiment = dataclasses.replace(EXPERIMENT, **changes)
    return Evaluator(experiment, tuple(SOURCES), TARGET, split, 3, LAYOUT, PREDICT)


def features(domain, indices):
    return over_images(
        PREDICT, lambda seen: seen.features, STATE.params, STATE.stats, LAYOUT, domain, indices,
        EXPERIMENT.augment,
    )  # fmt: skip


def test_features_come_in_the_order_asked_for_and_without_the_padding():
    every = features(TARGET, range(36))
    assert every.shape == (36, SETTING.network.width)
    np.testing.assert_allclose(features(TARGET, [7, 3, 30]), every[[7, 3, 30]], rtol=1e-5)


@pytest.mark.parametrize("labels", ["all", "given"])
def test_a_probe_learns_from_the_sources_and_is_tested_on_the_target(labels):
    found = evaluator(evaluation=Probe(labels=labels, neighbors=3))(STATE)
    chosen = SPLIT.labeled if labels == "given" else [range(36)] * 2
    taught = np.concatenate([features(d, i) for d, i in zip(SOURCES, chosen, strict=True)])
    label = np.concatenate([d.label[i] for d, i in zip(SOURCES, chosen, strict=True)])
    tested = features(TARGET, range(36))
    guess = linear_probe(taught, label, tested)
    np.testing.assert_allclose(found.target.total, 100 * np.mean(guess == TARGET.label))
    np.testing.assert_array_equal(found.target.counts, [12, 12, 12])
    near = nearest_neighbors(taught, label, tested, neighbors=3)
    np.testing.assert_allclose(
        found.more["neighbors_accuracy"], 100 * np.mean(near == TARGET.label)
    )
    assert found.source.counts.tolist() == [6, 6, 6]


@pytest.mark.parametrize("how", [Classify(), Probe()])
def test_images_held_back_are_tested_and_teach_nothing(how):
    split = draw_split(SOURCES, COLLECTION.classes, labels_per_class=3, seed=1, held_back=0.5)
    asides = [np.setdiff1d(range(36), np.union1d(*pair)) for pair in zip(*split, strict=True)]
    # The labels of what is held back are turned, so that they would show where they are not to.
    turned = [
        domain._replace(label=np.where(np.isin(range(36), aside), 2 - domain.label, domain.label))
        for domain, aside in zip(SOURCES, asides, strict=True)
    ]
    one, other = evaluator(split, evaluation=how), evaluator(split, evaluation=how)
    other._sources = tuple(turned)
    plain, odd = one(STATE), other(STATE)
    assert plain.held_back.counts.tolist() == [12, 12, 12]
    assert plain.target.hits.tolist() == odd.target.hits.tolist()
    assert plain.source.hits.tolist() == odd.source.hits.tolist()
    assert plain.held_back.hits[1] == odd.held_back.hits[1]
    assert evaluator(evaluation=how)(STATE).held_back is None


def test_the_accuracy_on_what_is_held_back_is_that_of_the_classifier():
    split = draw_split(SOURCES, COLLECTION.classes, labels_per_class=3, seed=1, held_back=0.5)
    hits = 0
    for domain, aside in zip(SOURCES, left_out(split, SOURCES), strict=True):
        for i in aside:
            batch = np.stack([EXPERIMENT.augment.evaluation(domain.images[i])] * 8)
            found = PREDICT(STATE.params, STATE.stats, batch).logits[0]
            hits += int(found.argmax() == domain.label[i])
    assert evaluator(split)(STATE).held_back.total == pytest.approx(100 * hits / 36)


def test_the_domain_probe_takes_as_many_images_of_every_domain():
    sample = evaluator(domain_probe=20).tested(STATE).features
    order = np.random.Generator(np.random.Philox(36)).permutation(36)[:20]
    expected = domain_probe([features(d, order) for d in (*SOURCES, TARGET)])
    np.testing.assert_allclose(domains_probed(sample), expected)
    assert np.bincount(sample.domain).tolist() == [20, 20, 20]
    np.testing.assert_array_equal(sample.label[40:], TARGET.label[order])
    assert domains_probed(evaluator(domain_probe=0).tested(STATE).features) is None


@pytest.mark.parametrize("how", [Classify(), Probe(neighbors=3)])
def test_predictions_are_those_that_the_accuracy_counts(how):
    told = evaluator(evaluation=how)
    found, counted = told.tested(STATE).predictions, told(STATE).target
    for label in range(3):
        right = (found.guess == label) & (found.label == label)
        assert right.sum() == counted.hits[label]
    assert found.path == TARGET.paths
    right = found.guess == found.label
    np.testing.assert_array_equal(found.truth[right], found.confidence[right])
    assert np.all(found.truth[~right] < found.confidence[~right])
    assert np.all((found.confidence >= 1 / 3) & (found.confidence <= 1))


def test_the_surest_mistakes_come_first_with_their_pictures():
    found = evaluator().tested(STATE)
    predictions, mistakes = found.predictions, found.mistakes
    wrong = [i for i in range(36) if predictions.guess[i] != predictions.label[i]]
    assert len(wrong) > 2
    surest = sorted(wrong, key=lambda i: -predictions.confidence[i])[:24]
    assert mistakes.path == tuple(TARGET.paths[i] for i in surest)
    shown = [EXPERIMENT.augment.evaluation(TARGET.images[i]) for i in surest]
    np.testing.assert_array_equal(mistakes.images, np.stack(shown))


def test_the_last_weights_the_average_or_the_mean_of_both_are_tested():
    ema = jax.tree.map(lambda x: x + 1, STATE.params)
    state = STATE._replace(ema=ema)
    first = [
        jax.tree.leaves(evaluator(ema_decay=decay, tested=tested).tested_params(state))[0]
        for decay, tested in ((None, "average"), (0.9, "last"), (0.9, "average"), (0.9, "both"))
    ]
    plain = first[0]
    for found, more in zip(first, (0, 0, 1, 0.5), strict=True):
        np.testing.assert_allclose(found, plain + more, rtol=1e-6)
