import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import outcome

from jaxclr.errors import InputError
from jaxclr.methods.erm import Nobody, Supervised, erm
from jaxclr.methods.fixclr import Repulsion, fixclr
from jaxclr.methods.fixmatch import Consistency, FixedThreshold, fixmatch
from jaxclr.methods.method import Method, NoBank, Term
from jaxclr.models.style import NoStyle

KINDS = (Method, Supervised, Consistency, Repulsion, Nobody, FixedThreshold, NoBank, NoStyle)
SETTINGS = {kind.__name__: kind for kind in KINDS}
METHODS = [
    erm(),
    fixmatch(),
    fixmatch(threshold=0.8, unlabeled_weight=2.0),
    fixclr(),
    fixclr(erm(), weight=0.5, temperature=0.2, reduction="sum", attraction=0.1),
]


@dataclasses.dataclass(frozen=True)
class Given(Term):
    """Says a number whatever it sees."""

    number: float = 1.0

    def __call__(self, outputs):
        return jnp.float32(self.number)


def test_the_loss_is_the_weighted_sum_and_the_terms_are_told_before_their_weight():
    method = Method({"a": Given(2.0, 3.0), "b": Given(0.5, -8.0), "c": Given(0.0, 100.0)}, Nobody())
    loss, terms = method.loss(outcome())
    assert loss == 2.0 * 3.0 - 0.5 * 8.0
    assert terms == {"a": 3.0, "b": -8.0, "c": 100.0}


def test_terms_are_added_to_a_copy_and_stay_in_order():
    method = Method({"a": Given()}, FixedThreshold(0.5))
    more = method.plus(b=Given(2.0), c=Given(3.0))
    assert more == Method({"a": Given(), "b": Given(2.0), "c": Given(3.0)}, FixedThreshold(0.5))
    assert list(more.terms) == ["a", "b", "c"]
    assert method == Method({"a": Given()}, FixedThreshold(0.5))


def test_a_name_is_taken_only_once():
    method = Method({"a": Given(), "b": Given(), "c": Given()}, Nobody())
    with pytest.raises(InputError, match=r"already has a term named a, c\.$"):
        method.plus(c=Given(), a=Given(), d=Given())


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_settings_read_back_from_their_repr(method):
    again = eval(repr(method), SETTINGS)
    assert again == method
    assert again is not method


def test_other_settings_are_other_methods():
    for i, method in enumerate(METHODS):
        assert [other == method for other in METHODS] == [i == j for j in range(len(METHODS))]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_settings_cannot_be_changed_and_their_parts_can_be_keys(method):
    parts = [*method.terms.values(), method.labeler]
    for part in parts:
        assert {part: 1}[dataclasses.replace(part)] == 1
        for field in dataclasses.fields(part):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(part, field.name, 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.labeler = Nobody()


def test_every_term_is_one_finite_number():
    loss, terms = fixclr().loss(outcome())
    assert list(terms) == ["supervised", "consistency", "repulsion"]
    for value in (loss, *terms.values()):
        assert value.shape == () and value.dtype == jnp.float32 and np.isfinite(value)
