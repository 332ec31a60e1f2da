import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxclr.optim import Adam, Sgd

STEPS = 6


def values(seed: int) -> dict:
    """Parameters, or their gradients, of a small network."""
    rng = np.random.default_rng(seed)
    return {
        "backbone": {
            "conv": {"kernel": rng.normal(size=(2, 3))},
            "norm": {"scale": rng.normal(size=3)},
        },
        "head": {"bias": rng.normal(size=2), "kernel": rng.normal(size=(3, 2))},
    }


def single(tree):
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), tree)


def descended(sgd: Sgd, every: int) -> list[dict]:
    """The parameters after each step, as torch's documentation of SGD states it."""
    params, buffers, path = values(0), None, []
    for step in range(STEPS):
        epoch_start = step - step % every
        fall = 0.5 * (1 + np.cos(np.pi * epoch_start / STEPS))
        rates = {"backbone": sgd.learning_rate * fall, "head": sgd.head_learning_rate * fall}
        decayed = jax.tree.map(lambda g, p: g + sgd.weight_decay * p, values(step + 1), params)
        if buffers is None:
            buffers = decayed
        else:
            buffers = jax.tree.map(lambda b, g: sgd.momentum * b + g, buffers, decayed)
        pace = buffers
        if sgd.nesterov:
            pace = jax.tree.map(lambda g, b: g + sgd.momentum * b, decayed, buffers)
        params = {
            part: jax.tree.map(lambda p, u, r=rates[part]: p - r * u, params[part], pace[part])
            for part in params
        }
        path.append(params)
    return path


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("every", [1, 2, 4])
def test_it_steps_as_torch_says_sgd_does(nesterov, every):
    sgd = Sgd(
        learning_rate=0.3, head_learning_rate=0.7, momentum=0.8, weight_decay=0.1, nesterov=nesterov
    )
    optimizer = sgd.build(steps=STEPS, steps_per_update=every)
    params = single(values(0))
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for step, expected in enumerate(descended(sgd, every)):
        updates, state = update(single(values(step + 1)), state, params)
        params = optax.apply_updates(params, updates)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), params, expected
        )


def paces(sgd: Sgd, steps: int, every: int) -> dict[str, list[float]]:
    """How far a gradient of one moves each part in every step: its rate."""
    optimizer = sgd.build(steps=steps, steps_per_update=every)
    params = {"backbone": jnp.zeros(1), "head": jnp.zeros(1)}
    state, update, path = optimizer.init(params), jax.jit(optimizer.update), []
    for _ in range(steps):
        updates, state = update({"backbone": jnp.ones(1), "head": jnp.ones(1)}, state, params)
        path.append(updates)
    return {part: [-float(u[part][0]) for u in path] for part in params}


PLAIN = Sgd(learning_rate=0.2, head_learning_rate=1.0, momentum=0.0, weight_decay=0.0)


def test_rates_fall_from_their_first_by_a_cosine_each_part_at_its_own():
    rates = paces(PLAIN, steps=8, every=1)
    expected = [0.5 * (1 + np.cos(np.pi * step / 8)) for step in range(8)]
    np.testing.assert_allclose(rates["head"], expected, rtol=1e-5)
    np.testing.assert_allclose(rates["backbone"], 0.2 * np.array(expected), rtol=1e-5)
    # Half-way the rate is halved, and one step after the last it would be zero.
    assert rates["head"][0] == 1 and rates["head"][4] == pytest.approx(0.5)
    assert 0 < rates["head"][-1] < 0.05


def test_rates_stay_what_they_are_within_an_epoch():
    rates = paces(PLAIN, steps=8, every=3)["head"]
    starts = [0, 0, 0, 3, 3, 3, 6, 6]
    np.testing.assert_allclose(
        rates, [0.5 * (1 + np.cos(np.pi * start / 8)) for start in starts], rtol=1e-5
    )


def test_defaults_are_the_protocols():
    # Those of Zhou, Loy, Liu, StyleMatch: 0.003 for the backbone, 0.01 for the head.
    assert Sgd() == Sgd(0.003, 0.01, 0.9, 5e-4, False)


def test_settings_read_back_from_their_repr_and_cannot_be_changed():
    sgd = Sgd(learning_rate=0.1, nesterov=True)
    assert eval(repr(sgd), {"Sgd": Sgd}) == sgd
    assert hash(sgd) == hash(dataclasses.replace(sgd))
    with pytest.raises(dataclasses.FrozenInstanceError):
        sgd.momentum = 0.5


def test_the_rate_may_fall_to_a_fifth_by_seven_sixteenths_of_a_half_turn():
    sgd = Sgd(0.5, 0.25, momentum=0.0, weight_decay=0.0, schedule="cosine_7_16")
    expected = np.cos(7 * np.pi * np.arange(STEPS) / (16 * STEPS))
    found = paces(sgd, STEPS, 1)
    np.testing.assert_allclose(found["backbone"], 0.5 * expected, rtol=1e-5)
    np.testing.assert_allclose(found["head"], 0.25 * expected, rtol=1e-5)


def test_norms_and_biases_may_be_spared_from_decay():
    sgd = Sgd(1.0, 1.0, momentum=0.0, weight_decay=0.1, decays_all=False)
    optimizer, params = sgd.build(steps=STEPS), single(values(0))
    nothing = jax.tree.map(jnp.zeros_like, params)
    moved, _ = optimizer.update(nothing, optimizer.init(params), params)
    jax.tree.map(
        lambda u, p: np.testing.assert_allclose(u, -0.1 * p if p.ndim > 1 else 0 * p, rtol=1e-5),
        moved, params,
    )  # fmt: skip


def test_projector_and_predictor_move_at_the_pace_of_the_head():
    params = {name: jnp.zeros(1) for name in ("backbone", "head", "predictor", "projector")}
    optimizer = Sgd(0.5, 0.25, momentum=0.0, weight_decay=0.0).build(steps=STEPS)
    ones = jax.tree.map(jnp.ones_like, params)
    moved, _ = optimizer.update(ones, optimizer.init(params), params)
    assert {name: -float(u[0]) for name, u in moved.items()} == {
        "backbone": 0.5, "head": 0.25, "predictor": 0.25, "projector": 0.25,
    }  # fmt: skip


def test_adam_warms_up_and_drops_twice_late_in_the_run():
    """Each step as its paper states it, in double precision."""
    adam = Adam(learning_rate=0.1, weight_decay=0.01, warmup=4, drops=(0.5, 0.75))
    steps = 8
    optimizer, params = adam.build(steps=steps), single(values(0))
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    exact, m, v = values(0), None, None
    for step in range(steps):
        grads = values(step + 1)
        updates, state = update(single(grads), state, params)
        params = optax.apply_updates(params, updates)
        g = jax.tree.map(lambda g, p: g + 0.01 * p, grads, exact)
        zeros = jax.tree.map(np.zeros_like, g)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, zeros if m is None else m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, zeros if v is None else v, g)
        rate = 0.1 * min((step + 1) / 4, 1) * 0.2 ** ((step >= 4) + (step >= 6))
        exact = jax.tree.map(
            lambda p, m, v, t=step + 1, r=rate: p
            - r * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8),
            exact, m, v,
        )  # fmt: skip
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), params, exact
        )
