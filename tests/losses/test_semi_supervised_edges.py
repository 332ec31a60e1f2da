import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contrasts import by_label, ssc, supcon, with_prototypes

from jaxclr.losses import masked_mean

B, K = 8, 3
ONES = np.ones(B, np.float32)


def vectors(seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(n, 4)).astype(np.float32) for n in (B, K))


def supcon_gradient(embedding, label, weight, temperature=0.1):
    def total(embedding):
        return supcon(embedding, label, weight, temperature=temperature)[0].sum()

    return np.asarray(jax.grad(total)(jnp.asarray(embedding)), np.float32)


def ssc_gradient(embedding, label, weight, prototypes, temperature=0.1):
    """By the embeddings and by the prototypes, one after the other."""

    def total(embedding, prototypes):
        return ssc(embedding, label, weight, prototypes, temperature=temperature)[0].sum()

    slopes = jax.grad(total, argnums=(0, 1))(jnp.asarray(embedding), jnp.asarray(prototypes))
    return np.concatenate([np.asarray(x, np.float32) for x in slopes])


def test_without_a_positive_nothing_counts_and_nothing_moves():
    embedding, prototypes = vectors()
    for label in (np.arange(B), K + np.arange(B)):
        loss, counts = supcon(embedding, label, ONES)
        assert not loss.any() and not counts.any()
        assert not supcon_gradient(embedding, label, ONES).any()
    # Nobody is confident, and no image has another view.
    loss, counts = ssc(embedding, label, 0.2 * ONES, prototypes)
    assert not loss.any() and not counts.any()
    assert not ssc_gradient(embedding, label, 0.2 * ONES, prototypes).any()
    assert masked_mean(loss, counts) == 0


def test_when_nobody_is_confident_the_views_of_an_image_attract_each_other_alone():
    embedding, prototypes = vectors()
    label = K + np.arange(B) % (B // 2)
    loss, counts = ssc(embedding, label, 0.2 * ONES, prototypes)
    expected, _ = with_prototypes(embedding, label, 0.2 * ONES, prototypes, 0.1)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
    assert counts.tolist() == [1] * B + [0] * K


def test_when_everybody_is_confident_every_anchor_counts_alike():
    embedding, prototypes = vectors()
    label = np.arange(B) % K
    loss, counts = ssc(embedding, label, ONES, prototypes)
    both, names = np.concatenate([embedding, prototypes]), np.append(label, np.arange(K))
    expected, there = by_label(both, names, np.ones(B + K), 0.1)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
    assert counts.all() and there.all()


def test_a_prototype_whose_class_is_absent_is_left_out_of_the_mean_but_repels():
    embedding, prototypes = vectors()
    label = np.arange(B) % 2
    loss, counts = ssc(embedding, label, ONES, prototypes)
    assert counts.tolist() == [1] * (B + 2) + [0]
    assert loss[-1] == 0
    np.testing.assert_allclose(masked_mean(loss, counts), loss.sum() / (B + 2), rtol=1e-6)
    assert np.abs(ssc_gradient(embedding, label, ONES, prototypes)[-1]).max() > 1e-3
    fewer, _ = ssc(embedding, label, ONES, prototypes[:2])
    assert (fewer < loss[:-1]).all()


def test_of_one_class_alone_whose_vectors_agree_the_logarithm_counts():
    same = np.ones((B, 4), np.float32)
    loss, counts = supcon(same, np.full(B, 7), ONES)
    np.testing.assert_allclose(loss, np.log(B - 1), rtol=1e-5)
    np.testing.assert_allclose(supcon_gradient(same, np.full(B, 7), ONES), 0, atol=1e-5)
    assert counts.all()
    loss, counts = ssc(same, np.zeros(B, int), ONES, same[:1])
    np.testing.assert_allclose(loss, np.log(B), rtol=1e-5)
    assert counts.all()


def test_one_example_has_no_other_but_its_prototype():
    embedding, prototypes = (x[:1] for x in vectors())
    label, one = np.zeros(1, int), np.ones(1, np.float32)
    loss, counts = supcon(embedding, label, one)
    assert loss.tolist() == counts.tolist() == [0]
    assert not supcon_gradient(embedding, label, one).any()
    # With one prototype each is all that the other can find.
    loss, counts = ssc(embedding, label, one, prototypes)
    np.testing.assert_allclose(loss, 0, atol=1e-5)
    np.testing.assert_allclose(ssc_gradient(embedding, label, one, prototypes), 0, atol=1e-5)
    assert counts.tolist() == [1, 1]


def test_in_supcon_an_example_without_weight_might_as_well_not_be_there():
    embedding, _ = vectors()
    label, weight = np.arange(B) % K, np.where(np.arange(B) % 3 == 1, 0, ONES)
    kept = weight > 0
    loss, counts = supcon(embedding, label, weight)
    fewer, there = supcon(embedding[kept], label[kept], weight[kept])
    np.testing.assert_allclose(loss[kept], fewer, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(counts[kept], there)
    assert not loss[~kept].any() and not counts[~kept].any()
    assert not supcon_gradient(embedding, label, weight)[~kept].any()
    loss, counts = supcon(embedding, label, 0 * ONES)
    assert not loss.any() and not counts.any()
    assert not supcon_gradient(embedding, label, 0 * ONES).any()


def test_in_ssc_a_weight_scales_its_anchor_and_stays_out_of_every_denominator():
    embedding, prototypes = vectors()
    label = np.arange(B) % K
    weight = np.append(0, 0.5 * ONES[1:]).astype(np.float32)
    plain, _ = ssc(embedding, label, ONES, prototypes)
    loss, counts = ssc(embedding, label, weight, prototypes)
    weights = np.append(weight, np.ones(K))
    np.testing.assert_allclose(loss, plain * weights * (B + K) / weights.sum(), rtol=1e-5)
    assert counts.all()


def test_in_supcon_half_an_example_twice_is_one_example_to_the_others():
    embedding, _ = vectors()
    label, twice = np.arange(B) % K, np.append(np.arange(B), 0)
    halves = np.where(twice == 0, 0.5, 1).astype(np.float32)
    loss, _ = supcon(embedding, label, ONES)
    found, _ = supcon(embedding[twice], label[twice], halves)
    np.testing.assert_allclose(found[1:B], loss[1:], rtol=1e-5)


def test_a_zero_row_is_at_cosine_zero_with_a_finite_gradient():
    embedding, prototypes = vectors()
    embedding[2] = 0
    prototypes[1] = 0
    label = np.arange(B) % K
    given = embedding, label, ONES
    np.testing.assert_allclose(
        supcon(*given, temperature=0.05)[0], by_label(*given, 0.05)[0], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        ssc(*given, prototypes, temperature=0.05)[0],
        with_prototypes(*given, prototypes, 0.05)[0], rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    assert np.isfinite(supcon_gradient(*given, 0.05)).all()
    assert np.isfinite(ssc_gradient(*given, prototypes, 0.05)).all()


ROOMS = {
    "anything": vectors(6)[0],
    "the same": np.ones((B, 4)),
    "opposite": np.ones((B, 4)) * ((-1.0) ** np.arange(B))[:, None],
    "zero": np.zeros((B, 4)),
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("temperature", [0.02, 0.05])
def test_low_temperatures_stay_finite_and_never_negative(temperature, dtype):
    label = np.array([0, 0, 1, 1, 4, 4, 9, 2])
    for room in ROOMS.values():
        embedding = jnp.asarray(room, dtype)
        results = (
            supcon(embedding, label, ONES, temperature=temperature),
            ssc(embedding, label, ONES, embedding[:K], temperature=temperature),
        )
        for loss, _ in results:
            assert loss.dtype == jnp.float32
            assert np.isfinite(loss).all() and (loss > -1e-5).all()
        assert np.isfinite(supcon_gradient(embedding, label, ONES, temperature)).all()
        assert np.isfinite(ssc_gradient(embedding, label, ONES, embedding[:K], temperature)).all()
