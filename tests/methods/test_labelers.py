"""What holds of every labeler, with memory or without."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import SIZES, K, N, outcome
from traces import batch

from jaxclr.methods.debiaspl import debiaspl
from jaxclr.methods.defixmatch import defixmatch
from jaxclr.methods.erm import erm
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.flexmatch import flexmatch
from jaxclr.methods.freematch import freematch
from jaxclr.methods.protogcd import protogcd
from jaxclr.methods.sinkhorn import sinkhorn
from jaxclr.methods.softmatch import softmatch
from jaxclr.training.layout import make_layout

ROWS = 8
WIDE = SIZES._replace(num_unlabeled=40)
METHODS = {
    "erm": erm(),
    "fixmatch": fixmatch(threshold=0.8),
    "defixmatch": defixmatch(),
    "flexmatch": flexmatch(threshold=0.8, warms_up=False),
    "freematch": freematch(decay=0.9),
    "softmatch": softmatch(decay=0.9),
    "debiaspl": debiaspl(decay=0.9),
    "protogcd": protogcd(),
    "sinkhorn": sinkhorn(),
    "sinkhorn_given": sinkhorn(prior="given"),
}
each_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def steps(labeler, batches):
    """Memory and guesses after the last of some batches."""
    memory, pseudo = labeler.init(WIDE), None
    for one in batches:
        memory, pseudo = labeler.label(memory, one)
    return memory, pseudo


def step_of(labeler):
    """One step, which knows the number of domains beforehand."""

    def step(memory, one):
        return labeler.label(memory, one._replace(num_domains=N))

    return step


def batches(count=3):
    return [batch(seed, ROWS, lean=(1.0, 0.0, -1.0)) for seed in range(count)]


@each_method
def test_guesses_are_classes_weights_and_distributions(method):
    _, pseudo = steps(method.labeler, batches())
    assert ((pseudo.label >= 0) & (pseudo.label < K)).all()
    for share in (pseudo.weight, pseudo.confidence, pseudo.probabilities):
        assert share.dtype == jnp.float32
        assert ((share >= 0) & (share <= 1)).all()
    np.testing.assert_allclose(pseudo.probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(pseudo.probabilities.argmax(1), pseudo.label)


@each_method
def test_the_same_predictions_give_the_same_memory_and_guesses_to_the_bit(method):
    chex.assert_trees_all_equal(steps(method.labeler, batches()), steps(method.labeler, batches()))


@each_method
def test_the_memory_keeps_its_shapes_and_types_so_that_the_step_is_traced_once(method):
    labeler = method.labeler
    chex.clear_trace_counter()
    step = jax.jit(chex.assert_max_traces(step_of(labeler), n=1))
    memory = labeler.init(WIDE)
    for one in batches():
        memory, pseudo = step(memory, one)
        chex.assert_trees_all_equal_shapes_and_dtypes(memory, labeler.init(WIDE))
    chex.assert_trees_all_close((memory, pseudo), steps(labeler, batches()), rtol=1e-5, atol=1e-6)


@each_method
def test_the_order_of_images_is_irrelevant(method):
    # Blocks of one image of each domain change places, as do labeled and unlabeled ones.
    blocks = np.random.default_rng(3).permutation(3 * ROWS)
    order = (blocks[:, None] * N + np.arange(N)).ravel()
    first, second = batches(2)
    moved = second._replace(
        prediction=type(second.prediction)(*(x[order] for x in second.prediction[:3])),
        given=second.given[order],
        number=second.number[order],
    )
    memory, pseudo = steps(method.labeler, [first, second])
    other, found = steps(method.labeler, [first, moved])
    chex.assert_trees_all_close(other, memory, rtol=1e-5, atol=1e-6)
    for values, expected in zip(found, pseudo, strict=True):
        np.testing.assert_allclose(values, expected[order], rtol=1e-4, atol=1e-6)


@each_method
def test_what_is_said_of_labeled_images_is_never_in_the_memory(method):
    first, second = batches(2)
    is_labeled = (second.given >= 0)[:, None]
    logits = jnp.where(is_labeled, 5 - 9 * second.prediction.logits, second.prediction.logits)
    other = second._replace(prediction=type(second.prediction)(logits, logits, logits))
    memory, pseudo = steps(method.labeler, [first, second])
    same, guess = steps(method.labeler, [first, other])
    chex.assert_trees_all_equal(same, memory)
    # They are guessed, though.
    assert (guess.label[is_labeled[:, 0]] != pseudo.label[is_labeled[:, 0]]).any()


@each_method
def test_eight_devices_remember_and_guess_what_one_does(method):
    found = []
    for devices in (jax.devices()[:1], jax.devices()):
        layout = make_layout(ROWS, devices)
        step = jax.jit(step_of(method.labeler))
        memory, guesses = layout.put_state(method.labeler.init(WIDE)), []
        for one in batches():
            scalars = {"num_domains": N, "progress": one.progress, "key": one.key}
            shared = layout.put_batch(one._replace(**dict.fromkeys(scalars)))
            memory, pseudo = step(memory, shared._replace(**scalars))
            guesses.append(pseudo)
        found.append(jax.device_get((memory, guesses)))
    chex.assert_trees_all_close(*found, rtol=1e-5, atol=1e-6)


@each_method
def test_repulsion_goes_onto_it_and_trusts_whom_it_trusts(method):
    both = fixclr(method, weight=2.0)
    assert both.labeler == method.labeler
    assert list(both.terms) == [*method.terms, "repulsion"]
    outputs = outcome()
    memory, pseudo = both.labeler.label(both.labeler.init(SIZES), batch(1))
    outputs = outputs._replace(memory=memory, pseudo=pseudo)
    plain, terms = method.loss(outputs)
    loss, more = both.loss(outputs)
    chex.assert_trees_all_equal({name: more[name] for name in terms}, terms)
    np.testing.assert_allclose(loss, plain + 2 * more["repulsion"], rtol=1e-5)
    assert all(np.isfinite(value) and value.shape == () for value in more.values())
