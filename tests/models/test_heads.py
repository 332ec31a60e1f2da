import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Linear, Mlp, NoProjector, Prototypes, Stochastic

B, D, E, K = 6, 5, 4, 3
EPSILON = 1e-5
CLASSIFIERS = [
    Linear(),
    Linear(dropout=0.5),
    Linear(dropout=0.5, learns_whole=True),
    Prototypes(),
    Stochastic(),
]


def vectors(seed: int = 0, b: int = B, d: int = D) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(b, d)), jnp.float32)


def filled(module: nnx.Module, seed: int = 1, **fixed: float) -> nnx.Module:
    """The module with random parameters; those named are alike everywhere."""
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    rng = np.random.default_rng(seed)

    def value(path, leaf):
        name = path[-1].key
        drawn = rng.normal(size=leaf.shape)
        return jnp.asarray(np.full(leaf.shape, fixed.get(name, drawn)), jnp.float32)

    pure = jax.tree_util.tree_map_with_path(value, nnx.to_pure_dict(params))
    nnx.replace_by_pure_dict(params, pure)
    return nnx.merge(graph, params, rest)


def classifier(settings, width=D, embedding=E, dtype=jnp.float32, **fixed):
    return filled(settings.module(width, embedding, K, dtype), **fixed)


def said(module, x=None, embedding=None, key=None, guess=False):
    """Logits and samples."""
    x = vectors() if x is None else x
    embedding = vectors(5, len(x), E) if embedding is None else embedding
    return module(x, embedding, key=key, guess=guess)


def cosines(x, weights) -> np.ndarray:
    x, weights = np.asarray(x, np.float64), np.asarray(weights, np.float64)
    found = np.zeros((len(x), len(weights)))
    for a in range(len(x)):
        for c in range(len(weights)):
            length = np.linalg.norm(x[a]) * np.linalg.norm(weights[c])
            found[a, c] = x[a] @ weights[c] / length if length else 0
    return found


@pytest.mark.parametrize("settings", CLASSIFIERS, ids=str)
def test_without_a_key_and_in_guesses_logits_are_deterministic(settings):
    module = classifier(settings)
    still, samples = said(module)
    assert samples is None
    guesses = [said(module, key=jax.random.key(i), guess=True)[0] for i in range(2)]
    for logits in guesses:
        np.testing.assert_array_equal(logits, still)


@pytest.mark.parametrize(
    ("settings", "guess"),
    [
        (Linear(dropout=0.5), False),
        (Linear(dropout=0.5), True),
        (Linear(dropout=0.5, learns_whole=True), True),
        (Stochastic(), False),
    ],
    ids=str,
)
def test_what_is_drawn_depends_on_the_key_alone(settings, guess):
    module = classifier(settings)
    one, again, other = (
        said(module, key=jax.random.key(seed), guess=guess)[guess] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


def test_linear_is_the_weighted_sum_and_a_bias():
    module, x = classifier(Linear()), vectors()
    kernel, bias = module.kernel[...], module.bias[...]
    expected = [
        [sum(x[a, i] * kernel[i, c] for i in range(D)) + bias[c] for c in range(K)]
        for a in range(B)
    ]
    logits, samples = said(module, key=jax.random.key(0), guess=True)
    assert samples is None
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("guess", [False, True])
def test_dropout_zeroes_features_and_scales_the_rest_so_that_their_mean_stays(guess):
    """A kernel that is the identity shows which features went through."""
    rate, x = 0.25, jnp.full((400, K), 2.0)
    module = Linear(rate, samples=3).module(K, E, K, jnp.float32)
    module.kernel[...] = jnp.eye(K)
    logits, samples = said(module, x, key=jax.random.key(0), guess=guess)
    drawn = samples if guess else logits
    assert drawn.shape == ((3, 400, K) if guess else (400, K))
    assert sorted(set(np.round(np.ravel(drawn), 5))) == pytest.approx([0, 2 / (1 - rate)], rel=1e-4)
    deviation = np.sqrt(rate * (1 - rate) / drawn.size)
    assert np.mean(drawn == 0) == pytest.approx(rate, abs=4 * deviation)
    assert np.mean(drawn) == pytest.approx(2, abs=4 * deviation * 2 / (1 - rate))
    # Features are dropped one by one, neither whole images nor columns.
    dropped = np.reshape(drawn == 0, (-1, K))
    both = dropped[:, 0] & dropped[:, 1]
    assert np.mean(both) == pytest.approx(rate**2, abs=4 * np.sqrt(rate**2 / len(both)))


def test_samples_of_a_guess_are_drawn_apart_and_where_learning_is_whole_they_alone_drop():
    module = classifier(Linear(dropout=0.5, samples=4, learns_whole=True))
    logits, samples = said(module, key=jax.random.key(3), guess=True)
    assert samples.shape == (4, B, K)
    assert len({np.asarray(sample).tobytes() for sample in samples}) == 4
    learning, none = said(module, key=jax.random.key(3))
    assert none is None
    np.testing.assert_array_equal(learning, logits)
    dropping = classifier(Linear(dropout=0.5, samples=4))
    assert not np.allclose(said(dropping, key=jax.random.key(3))[0], logits)


def test_linear_computes_in_the_type_given_from_parameters_in_single_precision():
    module = classifier(Linear(dropout=0.5), dtype=jnp.bfloat16)
    logits, samples = said(module, key=jax.random.key(0), guess=True)
    assert logits.dtype == samples.dtype == jnp.bfloat16
    assert module.kernel[...].dtype == jnp.float32
    exact, _ = said(classifier(Linear()))
    np.testing.assert_allclose(logits.astype(jnp.float32), exact, atol=0.1)


@pytest.mark.parametrize("temperature", [0.08, 0.5])
def test_prototypes_give_cosines_with_the_embedding_over_the_temperature(temperature):
    module = classifier(Prototypes(temperature))
    embedding = vectors(7, B, E).at[2].set(0)
    expected = cosines(embedding, module.prototypes[...]) / temperature
    logits, samples = said(module, embedding=embedding, key=jax.random.key(0))
    assert samples is None
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    assert (np.asarray(logits[2]) == 0).all()
    scaled, _ = said(module, embedding=30 * embedding)
    np.testing.assert_allclose(scaled, logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", [Prototypes(), Stochastic()], ids=str)
def test_cosines_are_of_single_precision_and_the_zero_row_has_a_finite_gradient(settings):
    module = classifier(settings)
    x, embedding = jnp.zeros((B, D), jnp.bfloat16), jnp.zeros((B, E), jnp.bfloat16)
    assert said(module, x, embedding)[0].dtype == jnp.float32
    both = (x.astype(jnp.float32), embedding.astype(jnp.float32))
    slopes = jax.grad(lambda both: said(module, *both)[0].sum())(both)
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_the_mean_of_stochastic_weights_gives_cosines_with_the_features():
    module = classifier(Stochastic(0.2))
    expected = cosines(vectors(), module.mu[...]) / 0.2
    np.testing.assert_allclose(said(module)[0], expected, rtol=1e-5, atol=1e-5)


def test_stochastic_weights_are_drawn_once_for_the_whole_batch():
    module = classifier(Stochastic(), sigma=4.0)
    x = jnp.tile(vectors(0, 1), (B, 1))
    logits, samples = said(module, x, key=jax.random.key(1))
    assert samples is None
    np.testing.assert_array_equal(logits, np.tile(logits[:1], (B, 1)))
    assert not np.allclose(logits, said(module, x)[0])


@pytest.mark.parametrize("sigma", [0.0, 3.0])
def test_the_deviation_of_stochastic_weights_is_softplus_of_sigma_less_four(sigma):
    """Weights of length near ``far`` turn by the noise across over ``far``: so cosines tell it."""
    far, width, draws = 1e3, 4, 400
    module = Stochastic(temperature=1.0).module(width, width, K, jnp.float32)
    module.mu[...] = jnp.zeros((K, width)).at[:, 0].set(far)
    module.sigma[...] = jnp.full((K, width), sigma)
    x = jnp.eye(width)[1:]
    keys = jax.random.split(jax.random.key(0), draws)
    noise = far * jax.vmap(lambda key: module(x, x, key=key, guess=False)[0])(keys)
    expected = np.log1p(np.exp(sigma - 4))
    assert np.std(noise) == pytest.approx(expected, rel=4 / np.sqrt(2 * noise.size))
    assert np.mean(noise) == pytest.approx(0, abs=4 * expected / np.sqrt(noise.size))
    # Of each class and feature by itself.
    table = np.corrcoef(np.reshape(noise, (draws, -1)).T)
    assert np.abs(table - np.eye(len(table))).max() < 5 / np.sqrt(draws)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_mlp_is_two_layers_with_relu_and_batch_norm_of_each_group_between(
    normalised, groups, train
):
    module, width = Mlp(hidden=7, width=E, normalised=normalised).module(D, jnp.float32)
    assert width == E
    module, x = filled(module), vectors()

    def numbers(parameter):
        return np.asarray(parameter[...], np.float64)

    hidden = np.asarray(x) @ numbers(module.hidden.kernel) + numbers(module.hidden.bias)
    if normalised:
        scale, bias = numbers(module.bn.scale), numbers(module.bn.bias)
        for group in range(groups):
            own = hidden[group::groups]
            # Running statistics start at zero and one.
            mean, var = (own.mean(0), own.var(0)) if train else (0.0, 1.0)
            hidden[group::groups] = (own - mean) / np.sqrt(var + EPSILON) * scale + bias
    expected = np.maximum(hidden, 0) @ numbers(module.out.kernel) + numbers(module.out.bias)
    found = module(x, groups=groups, train=train)
    assert found.shape == (B, E)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_mlp_keeps_the_width_of_its_input_unless_told():
    module, width = Mlp().module(D, jnp.float32)
    assert width == D and module.bn is None
    assert module.hidden.kernel[...].shape == module.out.kernel[...].shape == (D, D)


def test_no_projector_lets_the_features_through():
    assert NoProjector().module(D, jnp.float32) == (None, D)


def test_heads_start_where_their_papers_start_them():
    def params(**parts):
        return ConvNet(width=64, size=32, **parts).build(50, seed=0).params

    linear = params()["head"]
    assert sorted(linear) == ["bias", "kernel"] and not linear["bias"].any()
    prototypes = params(classifier=Prototypes())["head"]["prototypes"]
    assert prototypes.std() == pytest.approx(1, rel=0.03)
    stochastic = params(classifier=Stochastic())["head"]
    assert stochastic["mu"].std() == pytest.approx(0.01, rel=0.03)
    assert not stochastic["sigma"].any()
    for values in (prototypes, stochastic["mu"]):
        assert values.mean() == pytest.approx(0, abs=4 * values.std() / np.sqrt(values.size))
    both = params(projector=Mlp(width=32, normalised=True), predictor=Mlp(hidden=8))
    assert sorted(both) == ["backbone", "head", "predictor", "projector"]
    assert both["projector"]["out"]["kernel"].shape == (256, 32)
    assert both["predictor"]["hidden"]["kernel"].shape == (32, 8)
    assert both["head"]["kernel"].shape == (256, 50)


def test_a_network_says_what_its_parts_say_in_turn():
    model = ConvNet(
        width=4, size=16, projector=Mlp(width=E), predictor=Mlp(), classifier=Prototypes()
    )
    network = model.build(K, seed=0)
    images = jnp.asarray(np.random.default_rng(0).normal(size=(B, 16, 16, 3)), jnp.float32)
    run = jax.jit(functools.partial(network, groups=2, train=True))
    found, _ = run(network.params, network.stats, images)

    def layers(x, part):
        hidden = np.maximum(x @ part["hidden"]["kernel"] + part["hidden"]["bias"], 0)
        return hidden @ part["out"]["kernel"] + part["out"]["bias"]

    embedding = layers(np.asarray(found.features), network.params["projector"])
    close = np.testing.assert_allclose
    close(found.embedding, embedding, rtol=1e-4, atol=1e-5)
    close(found.predicted, layers(embedding, network.params["predictor"]), rtol=1e-4, atol=1e-5)
    expected = cosines(embedding, network.params["head"]["prototypes"]) / 0.08
    close(found.logits, expected, rtol=1e-3, atol=1e-3)
