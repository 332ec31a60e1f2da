import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_step import make_batches, make_setting

from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.training.passes import normalise
from jaxclr.training.state import initial_state
from jaxclr.training.step import make_train_step

METHOD = fixclr(fixmatch(threshold=0.4), weight=2.0)
BATCH = make_batches()[0]


def stepped(method=METHOD, **changes):
    setting = make_setting(method, **changes)
    return jax.jit(make_train_step(setting))(initial_state(setting), BATCH)


@pytest.fixture(scope="module")
def told():
    return stepped(gradient_norms=True)


def test_the_supervised_terms_norm_is_that_of_its_closed_form(told):
    setting = make_setting(METHOD)
    params, stats = initial_state(setting)[2:4]
    pixels = normalise(BATCH.labeled.weak, setting.mean, setting.std)
    prediction, _ = setting.network(params, stats, pixels, groups=2, train=True)
    shares = np.asarray(jax.nn.softmax(prediction.logits), np.float64)
    # Of cross-entropy summed over domains of equally many images, through a linear classifier.
    in_logits = 2 * (shares - np.eye(3)[BATCH.labeled.label]) / len(shares)
    in_features = in_logits @ np.asarray(params["head"]["kernel"]).T
    np.testing.assert_allclose(
        told[1]["supervised_gradient"], np.linalg.norm(in_features), rtol=1e-4
    )


def test_a_term_pulls_in_proportion_to_its_weight(told):
    _, half = stepped(fixclr(fixmatch(threshold=0.4), weight=1.0), gradient_norms=True)
    assert half["repulsion_gradient"] > 0
    np.testing.assert_allclose(
        told[1]["repulsion_gradient"], 2 * half["repulsion_gradient"], rtol=1e-5
    )
    np.testing.assert_allclose(
        told[1]["consistency_gradient"], half["consistency_gradient"], rtol=1e-5
    )


def test_what_is_not_kept_does_not_pull():
    _, none = stepped(fixmatch(threshold=0.9999), gradient_norms=True)
    assert none["kept"] == none["consistency_gradient"] == 0
    assert none["supervised_gradient"] > 0


def test_being_watched_changes_nothing(told):
    state, metrics = stepped()
    chex.assert_trees_all_close(state, told[0], rtol=1e-6, atol=1e-7)
    assert told[1].keys() - metrics.keys() == {f"{name}_gradient" for name in METHOD.terms}
    assert all(jnp.isfinite(value).all() for value in told[1].values())
