"""What all self-supervised methods have in common."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from everything import ALIKE, E, everything, with_embeddings
from outcomes import B

from jaxclr.errors import InputError
from jaxclr.methods.adc import adc
from jaxclr.methods.barlow import barlow
from jaxclr.methods.byol import byol
from jaxclr.methods.dhel import dhel
from jaxclr.methods.erm import Nobody
from jaxclr.methods.fixclr import Repulsion, fixclr
from jaxclr.methods.simclr import simclr
from jaxclr.methods.simsiam import simsiam
from jaxclr.methods.wmse import wmse

METHODS = {
    "simclr": simclr(),
    "dcl": simclr(decoupled=True),
    "dhel": dhel(),
    "byol": byol(),
    "simsiam": simsiam(),
    "barlow": barlow(),
    "wmse": wmse(),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def of_images(outputs, chosen):
    """The same with the images chosen, in that order."""

    def pick(seen):
        return type(seen)(*(None if x is None else x[chosen] for x in seen))

    picked = {view: pick(getattr(outputs, view)) for view in ALIKE}
    return outputs._replace(**picked, average=tuple(pick(seen) for seen in outputs.average))


@every_method
def test_it_trusts_nobody_and_reads_two_strong_views_alone(method):
    assert method.labeler == Nobody()
    assert method.reads - {"average"} == {"strong", "second"}
    assert ("average" in method.reads) == (method == byol())
    outputs = everything()
    nothing_else = outputs._replace(
        labeled=None, weak=None, pseudo=None, given=jnp.full(B, -1), domain=outputs.domain * 0
    )
    assert method.loss(nothing_else)[0] == method.loss(outputs)[0]


@every_method
def test_the_order_of_images_does_not_matter(method):
    outputs = everything()
    order = np.random.default_rng(0).permutation(B)
    moved = method.loss(of_images(outputs, order))[0]
    np.testing.assert_allclose(moved, method.loss(outputs)[0], rtol=1e-4)


@every_method
def test_the_two_views_may_change_places(method):
    outputs = everything()
    swapped = outputs._replace(
        strong=outputs.second, second=outputs.strong, average=outputs.average[::-1]
    )
    np.testing.assert_allclose(method.loss(swapped)[0], method.loss(outputs)[0], rtol=1e-5)


@every_method
def test_labeled_and_unlabeled_images_of_both_views_are_moved(method):
    outputs = everything()
    arrays = {name: getattr(outputs, name) for name in ("labeled", "weak", *ALIKE)}
    slopes = jax.grad(lambda x: method.loss(outputs._replace(**x))[0])(arrays)
    for view in ALIKE:
        slope = slopes[view]
        assert ((slope.embedding != 0).any(1) | (slope.predicted != 0).any(1)).all()
        slopes[view] = slope._replace(embedding=None, predicted=None)
    assert not any(x.any() for x in jax.tree.leaves(slopes))


@every_method
def test_it_is_finite_where_all_embeddings_are_alike_or_zero(method):
    outputs = everything()
    for vectors in (jnp.ones((B, E)), jnp.zeros((B, E))):
        alike = with_embeddings(outputs, strong=vectors, second=vectors)
        arrays = {view: getattr(alike, view) for view in ALIKE}
        value, slopes = jax.value_and_grad(
            lambda x, alike=alike: method.loss(alike._replace(**x))[0]
        )(arrays)
        assert np.isfinite(value)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(slopes))


@every_method
def test_half_precision_embeddings_give_a_single_precision_value_near_by(method):
    outputs = everything()
    rough = jax.tree.map(
        lambda x: x.astype(jnp.bfloat16), {view: getattr(outputs, view) for view in ALIKE}
    )
    value = method.loss(outputs._replace(**rough))[0]
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, method.loss(outputs)[0], rtol=0.03)


@every_method
def test_repulsion_and_calibration_go_onto_it(method):
    outputs = everything()
    (name,) = method.terms
    loss, terms = adc(fixclr(method, weight=2.0)).loss(outputs)
    assert list(terms) == [name, "repulsion", "calibration", "preservation"]
    assert terms["repulsion"] == Repulsion()(outputs)
    added = 2 * terms["repulsion"] + 0.1 * (terms["calibration"] + terms["preservation"])
    np.testing.assert_allclose(loss, method.loss(outputs)[0] + added, rtol=1e-5)


@every_method
def test_a_view_that_is_missing_is_named(method):
    for view, message in zip(ALIKE, ("over strong views", "over second strong views"), strict=True):
        with pytest.raises(InputError, match=f"needs a pass {message}"):
            method.loss(everything()._replace(**{view: None}))
