import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxclr.errors import InputError
from jaxclr.models.vit import VIT, Vit, resampled
from jaxclr.models.weights import load

SMALL = Vit(width=6, depth=2, heads=2, patch=4, size=8)
K = 3
# Of timm's vit_small_patch16_224, by its documentation, with 1000 classes.
PARAMETERS = 22_050_664


@functools.lru_cache
def network(model=SMALL, dtype=jnp.float32):
    return model.build(K, seed=0, dtype=dtype)


@functools.lru_cache
def program(groups=1, train=False, dtype=jnp.float32):
    return jax.jit(functools.partial(network(dtype=dtype), groups=groups, train=train))


@functools.lru_cache
def weights(k: int = K) -> dict[str, np.ndarray]:
    """Random arrays, named and shaped as timm has them, of the small network."""
    rng, w = np.random.default_rng(0), 6
    shapes = {
        "cls_token": (1, 1, w), "pos_embed": (1, 5, w), "patch_embed.proj.weight": (w, 3, 4, 4),
        "patch_embed.proj.bias": (w,), "norm.weight": (w,), "norm.bias": (w,),
        "head.weight": (k, w), "head.bias": (k,),
    }  # fmt: skip
    for i in range(2):
        layers = {"attn.qkv": (3 * w, w), "attn.proj": (w, w), "mlp.fc1": (4 * w, w)}
        for name, shape in (layers | {"mlp.fc2": (w, 4 * w)}).items():
            shapes |= {f"blocks.{i}.{name}.weight": shape, f"blocks.{i}.{name}.bias": shape[:1]}
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{norm}.weight": (w,), f"blocks.{i}.{norm}.bias": (w,)}
    # Large ones before the gelu, where it differs from what approximates it.
    spread = {name: 1.5 if "fc1" in name else 0.5 for name in shapes}
    return {n: rng.normal(0, spread[n], shape).astype(np.float32) for n, shape in shapes.items()}


def loaded(arrays=None, **how):
    arrays = weights() if arrays is None else arrays
    return load(arrays, network().params, network().stats, naming=VIT, **how)


def images(b: int = 2, side: int = 8) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(b, side, side, 3)).astype(np.float32)


def normalised(x, arrays, name):
    """One token, by its own mean and variance."""
    unit = (x - x.mean()) / math.sqrt(((x - x.mean()) ** 2).mean() + 1e-6)
    return unit * arrays[f"{name}.weight"] + arrays[f"{name}.bias"]


def layer(x, arrays, name):
    return arrays[f"{name}.weight"] @ x + arrays[f"{name}.bias"]


def attended(tokens, arrays, name, heads=2):
    """For every head and token by itself, the mean of the values by softmax."""
    width = len(tokens[0])
    depth = width // heads
    parts = [np.split(layer(x, arrays, f"{name}.qkv"), 3) for x in tokens]
    out = []
    for query, _, _ in parts:
        mixed = np.zeros(width)
        for h in range(heads):
            own = slice(h * depth, (h + 1) * depth)
            scores = [math.exp(query[own] @ key[own] / math.sqrt(depth)) for _, key, _ in parts]
            for score, (_, _, value) in zip(scores, parts, strict=True):
                mixed[own] += score / sum(scores) * value[own]
        out.append(layer(mixed, arrays, f"{name}.proj"))
    return out


def gelu(x):
    return np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x])


def by_hand(arrays, image):
    """Features and logits of one image, token by token, in double precision."""
    arrays = {name: x.astype(np.float64) for name, x in arrays.items()}
    tokens = [arrays["cls_token"][0, 0]]
    for i in range(0, 8, 4):
        for j in range(0, 8, 4):
            patch = image[i : i + 4, j : j + 4].transpose(2, 0, 1)
            kernel = arrays["patch_embed.proj.weight"]
            tokens.append((kernel * patch).sum((1, 2, 3)) + arrays["patch_embed.proj.bias"])
    tokens = [x + p for x, p in zip(tokens, arrays["pos_embed"][0], strict=True)]
    for i in range(2):
        name = f"blocks.{i}"
        normal = [normalised(x, arrays, f"{name}.norm1") for x in tokens]
        added = attended(normal, arrays, f"{name}.attn")
        tokens = [x + y for x, y in zip(tokens, added, strict=True)]
        for n, x in enumerate(tokens):
            inner = gelu(layer(normalised(x, arrays, f"{name}.norm2"), arrays, f"{name}.mlp.fc1"))
            tokens[n] = x + layer(inner, arrays, f"{name}.mlp.fc2")
    features = normalised(tokens[0], arrays, "norm")
    return features, layer(features, arrays, "head")


def test_it_is_the_loops_over_patches_heads_and_tokens_with_weights_in_timm_s_names():
    trees, x = loaded(), images()
    prediction, stats = program()(trees.params, trees.stats, x)
    for i, image in enumerate(x):
        features, logits = by_hand(weights(), image)
        np.testing.assert_allclose(prediction.features[i], features, rtol=2e-5, atol=1e-5)
        np.testing.assert_allclose(prediction.logits[i], logits, rtol=2e-5, atol=1e-5)
    assert jax.tree.leaves(stats) == []


def test_it_has_as_many_parameters_as_timm_s_vit_small():
    module = nnx.eval_shape(lambda: Vit().module(1000, jnp.float32))
    _, params, rest = nnx.split(module, nnx.Param, ...)
    assert sum(x.size for x in jax.tree.leaves(nnx.to_pure_dict(params))) == PARAMETERS
    assert jax.tree.leaves(nnx.to_pure_dict(rest)) == []
    assert module.width == 384


def test_neither_domains_nor_training_nor_norm_make_a_difference():
    trees, x = loaded(), images(4)
    expected = program()(trees.params, trees.stats, x)[0].logits
    found = program(groups=2, train=True)(trees.params, trees.stats, x)[0].logits
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_half_precision_comes_close():
    trees, x = loaded(), images()
    expected = program()(trees.params, trees.stats, x)[0].features
    call = program(dtype=jnp.bfloat16)
    found = call(trees.params, trees.stats, jnp.asarray(x, jnp.bfloat16))[0].features
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype(jnp.float32), expected, atol=0.1)


def test_weights_start_small_and_positions_unlike_each_other():
    params = network().params["backbone"]
    for name in ("cls_token", "pos_embed"):
        assert 0.005 < params[name].std() < 0.04
    assert (params["norm"]["scale"] == 1).all() and (params["blocks_0"]["qkv"]["bias"] == 0).all()
    assert np.abs(params["blocks_1"]["fc2"]["kernel"]).max() <= 1 / math.sqrt(24)


def test_dino_s_files_have_no_head_and_those_of_other_classes_another():
    bare = {name: x for name, x in weights().items() if not name.startswith("head.")}
    for arrays, reason in (
        (bare, "the file has none"),
        (weights(5), "5 classes there, 3 here"),
    ):
        trees = loaded(arrays)
        assert f"The head stays as it is: {reason}." in trees.report
        np.testing.assert_array_equal(
            trees.params["head"]["kernel"], network().params["head"]["kernel"]
        )
    whole = loaded()
    assert "head" not in whole.report
    np.testing.assert_array_equal(whole.params["head"]["kernel"], weights()["head.weight"].T)


def test_what_is_missing_or_left_over_is_named():
    arrays = {n: x for n, x in weights().items() if n not in ("cls_token", "blocks.1.norm1.bias")}
    with pytest.raises(InputError) as caught:
        loaded(arrays | {"dist_token": np.zeros((1, 1, 6))})
    assert "Missing: blocks.1.norm1.bias, cls_token. Left over: dist_token." in str(caught.value)


def keys(t: float) -> float:
    """Keys' cubic kernel with a = -1/2."""
    t = abs(t)
    if t < 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0.0


def matrix(old: int, new: int) -> np.ndarray:
    """How much each old place weighs at each new one; wider where there are fewer new ones."""
    scale = max(old / new, 1)
    raw = [
        [keys(((i + 0.5) * old / new - 0.5 - j) / scale) for j in range(old)] for i in range(new)
    ]
    return np.array(raw) / np.sum(raw, 1, keepdims=True)


@pytest.mark.parametrize(("old", "new"), [(3, 5), (5, 3), (4, 8), (6, 1)])
def test_positions_are_interpolated_bicubically_and_the_class_token_s_stays(old, new):
    array = np.random.default_rng(2).normal(size=(1, 1 + old * old, 2)).astype(np.float32)
    found = resampled("pos_embed", array, (1, 1 + new * new, 2))
    np.testing.assert_array_equal(found[:, 0], array[:, 0])
    square, m = array[0, 1:].reshape(old, old, 2), matrix(old, new)
    expected = np.einsum("ia,jb,abw->ijw", m, m, square).reshape(new * new, 2)
    np.testing.assert_allclose(found[0, 1:], expected, rtol=1e-4, atol=1e-5)


def test_only_squares_of_positions_of_the_same_width_are_interpolated():
    for name, shape in (("pos_embed", (1, 4, 6)), ("pos_embed", (1, 10, 5)), ("norm", (1, 10, 6))):
        array = np.zeros(shape, np.float32)
        assert resampled(name, array, (1, 5, 6)) is array


def test_the_report_tells_of_interpolated_positions():
    rng = np.random.default_rng(3)
    arrays = weights() | {"pos_embed": rng.normal(size=(1, 10, 6)).astype(np.float32)}
    trees = loaded(arrays)
    assert "pos_embed was resized from (1, 10, 6) to (1, 5, 6)." in trees.report
    assert trees.params["backbone"]["pos_embed"].shape == (1, 5, 6)


def test_images_of_another_size_are_refused_with_what_to_give():
    with pytest.raises(InputError, match=r"8 px, and these are of 12 x 12\. Give --model\.size"):
        program()(network().params, network().stats, images(side=12))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"size": 100}, r"size is 100: give a multiple of patch, 16"),
        ({"size": 0}, r"size is 0"),
        ({"width": 10, "heads": 4}, r"width is 10: give a multiple of heads, 4"),
    ],
)
def test_sizes_that_do_not_divide_are_refused(settings, told):
    with pytest.raises(InputError, match=told):
        Vit(**settings)
