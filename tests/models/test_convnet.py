import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.models.convnet import ConvNet


def shapes(model: ConvNet, side: int, k: int = 10):
    """What would come out, without computing it."""
    network = model.build(k, seed=0)
    x = jax.ShapeDtypeStruct((4, side, side, 3), jnp.float32)
    prediction, _ = jax.eval_shape(
        lambda x: network(network.params, network.stats, x, groups=2, train=True), x
    )
    return prediction


@pytest.mark.parametrize(
    ("model", "side", "width"),
    [
        (ConvNet(), 32, 256),
        (ConvNet(normalised=False), 32, 256),
        (ConvNet(width=8, size=16), 16, 8),
        (ConvNet(width=8, size=40), 40, 32),
        (ConvNet(width=8, size=64), 64, 128),
        (ConvNet(width=8, pooled=True), 32, 8),
        (ConvNet(width=8, pooled=True), 48, 8),
        (ConvNet(width=8, pooled=True), 16, 8),
    ],
)
def test_features_are_the_last_maps_flat(model, side, width):
    prediction = shapes(model, side, k=7)
    assert prediction.features.shape == (4, width)
    assert prediction.logits.shape == (4, 7)


def test_pooled_features_are_the_means_over_the_last_maps():
    flat, pooled = (ConvNet(width=3, pooled=way).build(2, seed=1) for way in (False, True))
    x = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype(np.float32)
    maps, means = (
        jax.jit(lambda n, x: n(n.params, n.stats, x, groups=1, train=False)[0].features)(n, x)
        for n in (flat, pooled)
    )
    np.testing.assert_allclose(means, maps.reshape(4, 4, 3).mean(1), rtol=1e-5)


@pytest.mark.parametrize("normalised", [True, False])
def test_it_has_as_many_parameters_as_its_layers_say(normalised):
    network = ConvNet(normalised=normalised).build(10, seed=0)
    convolutions = 9 * 3 * 64 + 3 * 9 * 64 * 64
    # A bias for each filter, or a scale and a shift.
    rest = 4 * 64 * (2 if normalised else 1)
    head = 256 * 10 + 10
    assert sum(x.size for x in jax.tree.leaves(network.params)) == convolutions + rest + head
    assert len(jax.tree.leaves(network.stats)) == (8 if normalised else 0)


def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A 3 x 3 convolution with one pixel of zeros around, offset after offset."""
    _, h, w, _ = x.shape
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return sum(padded[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(3) for j in range(3))


@pytest.mark.parametrize("normalised", [True, False])
def test_it_is_four_times_convolution_norm_relu_and_pool(normalised):
    network = ConvNet(width=5, size=32, normalised=normalised).build(3, seed=1)
    rng = np.random.default_rng(0)

    def draw(x):
        """Unlike the initial biases, which are zero and would hide where they are added."""
        return rng.uniform(0.2, 1.5, x.shape).astype(np.float32)

    params = jax.tree.map(lambda x: draw(x) if x.ndim == 1 else x, network.params)
    stats = jax.tree.map(draw, network.stats)
    x = rng.normal(size=(2, 32, 32, 3)).astype(np.float32)
    call = jax.jit(lambda p, s, x: network(p, s, x, groups=1, train=False)[0])
    prediction = call(params, stats, x)
    for i in range(1, 5):
        conv = params["backbone"][f"conv{i}"]
        x = convolved(x, conv["kernel"])
        if normalised:
            norm, seen = params["backbone"][f"norm{i}"], stats["backbone"][f"norm{i}"]
            x = (x - seen["mean"]) / np.sqrt(seen["var"] + 1e-5) * norm["scale"] + norm["bias"]
        else:
            x = x + conv["bias"]
        x = np.maximum(x, 0)
        b, h, w, c = x.shape
        x = x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))
    np.testing.assert_allclose(prediction.features, x.reshape(2, -1), rtol=1e-3, atol=1e-4)
