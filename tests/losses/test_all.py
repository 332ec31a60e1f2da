"""What holds for every public loss, of today and of tomorrow."""

import ast
import functools
import inspect
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxclr.losses

LOSSES = [getattr(jaxclr.losses, name) for name in sorted(jaxclr.losses.__all__)]
FILES = sorted(Path(jaxclr.losses.__file__).parent.glob("*.py"))
B, K, M, N, D = 10, 3, 4, 2, 5

rng = np.random.default_rng(0)
SAMPLES = {
    "features": rng.normal(size=(B, D)).astype(np.float32),
    "vectors": rng.normal(size=(B, D)).astype(np.float32),
    "logits": rng.normal(size=(B, K)).astype(np.float32),
    "values": rng.normal(size=B).astype(np.float32),
    "target": np.random.default_rng(1).dirichlet(np.ones(K), B).astype(np.float32),
    "label": rng.integers(0, K, B),
    "domain": np.arange(B) % N,
    "weight": rng.uniform(0.1, 1, B).astype(np.float32),
    "first": rng.normal(size=(B, D)).astype(np.float32),
    "second": rng.normal(size=(B, D)).astype(np.float32),
    "embedding": rng.normal(size=(B, D)).astype(np.float32),
    "prototypes": rng.normal(size=(K, D)).astype(np.float32),
    "cosine": rng.uniform(-1, 1, (B, M)).astype(np.float32),
    "pair_weight": rng.uniform(0.1, 1, (B, M)).astype(np.float32),
    "prior": rng.normal(size=(B, 4)).astype(np.float32),
    "scores": rng.normal(size=(B, K)).astype(np.float32),
    "half": np.arange(B) // N % 2,
    "share": rng.uniform(0.1, 1, N).astype(np.float32),
    "risk": rng.uniform(0.1, 2, N).astype(np.float32),
}
SETTINGS = {"num_classes": K, "num_domains": N, "temperature": 0.1}


def parameters(loss):
    return inspect.signature(loss).parameters.values()


def arguments(loss) -> list[np.ndarray]:
    """Samples for the positional parameters, known by their names."""
    return [SAMPLES[p.name] for p in parameters(loss) if p.kind is p.POSITIONAL_OR_KEYWORD]


def bound(loss):
    """The loss with its needed keyword-only settings."""
    names = [p.name for p in parameters(loss) if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    return functools.partial(loss, **{name: SETTINGS[name] for name in names})


def values(loss, inputs) -> list[np.ndarray]:
    return [np.asarray(x) for x in jax.tree.leaves(loss(*map(jnp.asarray, inputs)))]


def close(found, expected):
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), found, expected
    )


def moved(x, order):
    """One row per example moves with it; those of classes, alone or last, stay where they were."""
    if x.shape == (B + K,):
        return np.concatenate([x[:B][order], x[B:]])
    return x[order] if x.shape[:1] == (B,) else x


each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)


@each_loss
def test_order_of_examples_is_irrelevant(loss):
    order = np.random.default_rng(1).permutation(B)
    results = values(bound(loss), arguments(loss))
    shuffled = values(bound(loss), [moved(x, order) for x in arguments(loss)])
    close(shuffled, [moved(x, order) for x in results])


@each_loss
def test_compiled_it_is_what_it_is_uncompiled(loss):
    close(values(jax.jit(bound(loss)), arguments(loss)), values(bound(loss), arguments(loss)))


@each_loss
def test_results_are_single_precision_whatever_comes_in(loss):
    halves = [
        jnp.asarray(x, jnp.bfloat16 if x.dtype.kind == "f" else None) for x in arguments(loss)
    ]
    singles = [x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x for x in halves]
    results = values(bound(loss), halves)
    assert {x.dtype for x in results} <= {np.dtype(np.float32), np.dtype(bool)}
    close(results, values(bound(loss), singles))


@each_loss
def test_every_number_that_comes_in_gets_a_finite_gradient(loss):
    inputs = [jnp.asarray(x) for x in arguments(loss)]
    moved = [i for i, x in enumerate(inputs) if x.dtype == jnp.float32]

    def total(*args):
        return sum(x.sum() for x in jax.tree.leaves(bound(loss)(*args)))

    gradients = jax.grad(total, argnums=moved)(*inputs)
    assert gradients
    assert all(np.isfinite(x).all() for x in gradients)


@each_loss
def test_its_docstring_says_what_it_returns_and_names_every_argument(loss):
    text = inspect.getdoc(loss)
    assert text
    first, *_ = text.splitlines()
    assert first.endswith(".")
    if "Args:" in text:
        listed = text.split("Args:")[1]
        assert [p.name for p in parameters(loss) if f"\n    {p.name}:" not in listed] == []
        assert "Returns:" in text


def test_public_means_listed():
    public = {
        name
        for name, value in vars(jaxclr.losses).items()
        if not name.startswith("_") and inspect.isfunction(value)
    }
    assert public == set(jaxclr.losses.__all__)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_losses_know_of_nothing_else_in_the_library(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "say where from, in full"
            imported.add(node.module)
    ours = {name for name in imported if name.split(".")[0] == "jaxclr"}
    assert {n for n in ours if not n.startswith("jaxclr.losses") and n != "jaxclr.types"} == set()
    assert not {name.split(".")[0] for name in imported} & {"flax", "orbax", "grain", "tyro"}
