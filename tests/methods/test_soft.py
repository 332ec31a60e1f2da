import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import IS_LABELED, B, K, N, outcome
from traces import softmax

from jaxclr.errors import InputError
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.soft import SoftConsistency

TRUSTED = [1, 0, 0, 1, 1, 0, 0.5, 0, 0, 1, 1, 0]


@pytest.mark.parametrize("labeled", [True, False])
def test_it_is_the_mean_of_each_domain_summed_over_the_domains(labeled):
    outputs = outcome(trusted=TRUSTED)
    log_p = np.log(softmax(outputs.strong.logits))
    target = np.asarray(outputs.pseudo.probabilities, np.float64)
    total = 0.0
    for domain in range(N):
        own = [e for e in range(B) if e % N == domain and (labeled or not IS_LABELED[e])]
        for e in own:
            cost = -sum(target[e, c] * log_p[e, c] for c in range(K))
            # The untrusted are in the denominator.
            total += TRUSTED[e] * cost / len(own)
    np.testing.assert_allclose(SoftConsistency(labeled=labeled)(outputs), total, rtol=1e-5)


@pytest.mark.parametrize("labeled", [True, False])
def test_with_one_hot_guesses_it_is_the_consistency_of_fixmatch(labeled):
    outputs = outcome()
    pseudo = outputs.pseudo
    outputs = outputs._replace(
        pseudo=pseudo._replace(probabilities=jax.nn.one_hot(pseudo.label, K))
    )
    expected = Consistency(labeled=labeled)(outputs)
    np.testing.assert_allclose(SoftConsistency(labeled=labeled)(outputs), expected, rtol=1e-6)


def test_its_gradient_is_the_weighted_gap_between_what_is_said_and_what_is_guessed():
    outputs = outcome(trusted=TRUSTED)

    def value(logits):
        return SoftConsistency()(outputs._replace(strong=outputs.strong._replace(logits=logits)))

    slope = jax.grad(value)(outputs.strong.logits)
    gap = softmax(outputs.strong.logits) - outputs.pseudo.probabilities
    expected = N / B * np.array(TRUSTED)[:, None] * gap
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-6)


def test_without_a_trusted_guess_it_is_zero_and_half_precision_is_made_single():
    outputs = outcome(trusted=[0] * B)
    half = outputs.strong._replace(logits=outputs.strong.logits.astype(jnp.bfloat16))
    value = SoftConsistency()(outputs._replace(strong=half))
    assert value == 0 and value.dtype == jnp.float32


def test_without_guesses_it_says_what_is_missing():
    with pytest.raises(InputError, match="needs pseudo-labels"):
        SoftConsistency()(outcome()._replace(pseudo=None))
