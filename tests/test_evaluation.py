import jax
import numpy as np
import pytest
from toy import Toy, toy_experiment

from jaxclr.evaluation import Accuracy, make_predict, over_images
from jaxclr.methods.erm import erm
from jaxclr.models.convnet import ConvNet
from jaxclr.training.layout import make_layout
from jaxclr.training.state import Setting

AUGMENT = toy_experiment().augment
SETTING = Setting(
    ConvNet(width=4, size=16).build(3, seed=1), erm(), toy_experiment().optimizer.build(steps=1),
    num_classes=3, num_domains=2, steps=1, mean=(0.5,) * 3, std=(0.5,) * 3,
)  # fmt: skip


def one_by_one(domain, indices):
    """The same hits, image by image."""
    network, hits = SETTING.network, np.zeros(3, int)
    predict = jax.jit(lambda x: network(network.params, network.stats, x, groups=1, train=False))
    for i in indices:
        pixels = (AUGMENT.evaluation(domain.images[i])[None] / 255 - 0.5) / 0.5
        prediction, _ = predict(pixels.astype(np.float32))
        hits[domain.label[i]] += int(prediction.logits[0].argmax()) == domain.label[i]
    return hits


def evaluate(domain, indices, **how):
    layout, network = make_layout(8), SETTING.network
    guess = over_images(
        make_predict(network, AUGMENT, SETTING.dtype, layout), lambda seen: seen.logits.argmax(-1),
        network.params, network.stats, layout, domain, indices, AUGMENT, **how,
    )  # fmt: skip
    return Accuracy.of(guess, domain.label[indices], 3)


@pytest.mark.parametrize("batch_size", [5, 36, 64])
def test_the_padded_last_batch_counts_nothing_twice_and_nothing_it_should_not(batch_size):
    domain = Toy().load().domains[1]
    indices = range(len(domain.paths))
    accuracy = evaluate(domain, indices, batch_size=batch_size)
    np.testing.assert_array_equal(accuracy.hits, one_by_one(domain, indices))
    np.testing.assert_array_equal(accuracy.counts, [12, 12, 12])


def test_some_images_of_a_domain_are_tested_by_their_indices():
    domain, indices = Toy().load().domains[0], np.array([0, 1, 13, 30])
    accuracy = evaluate(domain, indices)
    np.testing.assert_array_equal(accuracy.counts, [2, 1, 1])
    np.testing.assert_array_equal(accuracy.hits, one_by_one(domain, indices))


def test_accuracy_is_in_percent_and_a_class_without_images_has_none():
    accuracy = Accuracy(np.array([3, 0, 1]), np.array([4, 0, 4]))
    assert accuracy.total == 50.0
    assert accuracy.per_class == [75.0, None, 25.0]
    assert accuracy.plus(Accuracy(np.array([1, 2, 0]), np.array([1, 4, 0]))).total == 7 / 13 * 100
