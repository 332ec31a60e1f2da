"""The train step: a pure function from a state and a batch to the next state and its metrics."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree, Shaped, UInt8

from jaxclr.methods.method import Method
from jaxclr.models.network import PureNetwork
from jaxclr.types import Batch, Outputs, Tensor

Metrics = dict[str, Float[Array, ""]]
TrainStep = Callable[["TrainState", Batch], tuple["TrainState", Metrics]]


class TrainState(NamedTuple):
    """All that changes in training, hence all that is saved."""

    step: Int[Array, ""]
    params: PyTree
    stats: PyTree
    """Running statistics of the batch norms."""
    opt_state: PyTree
    memory: PyTree
    """The labeler's."""
    ema: PyTree
    """Exponential moving average of the parameters; an empty tuple where none is kept."""


class Setting(NamedTuple):
    """What a step is made from, all of it fixed for a run."""

    network: PureNetwork
    method: Method
    optimizer: optax.GradientTransformation
    num_classes: int
    num_domains: int
    steps: int
    mean: tuple[float, float, float]
    """Of the pixels, in [0, 1]."""
    std: tuple[float, float, float]
    ema_decay: float | None = None
    dtype: Any = jnp.float32
    """What the network computes in; parameters, statistics and losses are float32."""


def initial_state(setting: Setting) -> TrainState:
    """The state before the first step."""
    params = setting.network.params
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        stats=setting.network.stats,
        opt_state=setting.optimizer.init(params),
        memory=setting.method.labeler.init(setting.num_classes),
        ema=() if setting.ema_decay is None else params,
    )


def make_train_step(setting: Setting) -> TrainStep:
    """The step of a run, to be jitted by the caller."""

    def loss_fn(params: PyTree, state: TrainState, batch: Batch) -> tuple[Array, Any]:
        stats, memory, outputs = forward(setting, params, state, batch)
        loss, terms = setting.method.loss(outputs)
        return loss, (stats, memory, {"loss": loss, **terms, **guesses(outputs, batch)})

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        grads, aux = jax.grad(loss_fn, has_aux=True)(state.params, state, batch)
        stats, memory, metrics = aux
        updates, opt_state = setting.optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        ema = state.ema
        if setting.ema_decay is not None:
            ema = optax.incremental_update(params, ema, 1 - setting.ema_decay)
        return TrainState(state.step + 1, params, stats, opt_state, memory, ema), metrics

    return train_step


def forward(
    setting: Setting, params: PyTree, state: TrainState, batch: Batch
) -> tuple[PyTree, PyTree, Outputs]:
    """Three passes, as in the protocol; each normalises by, and records, its own statistics.

    All weak views give pseudo-labels, without gradient; then the labeled weak views alone; then
    all strong views. A method that guesses nothing makes the labeled pass alone.

    Returns:
        The running statistics, the labeler's memory, and what the terms may see.
    """
    labeled, unlabeled = batch
    n, method = setting.num_domains, setting.method

    def predict(params: PyTree, stats: PyTree, images: UInt8[Tensor, "b h w 3"]) -> Any:
        pixels = normalise(images, setting.mean, setting.std).astype(setting.dtype)
        return setting.network(params, stats, pixels, groups=n, train=True)

    stats, memory, weak, strong, pseudo = state.stats, state.memory, None, None, None
    if method.labeler.guesses:
        frozen = jax.lax.stop_gradient(params)
        weak, stats = predict(frozen, stats, join(labeled.weak, unlabeled.weak, n))
        memory, pseudo = method.labeler.label(memory, weak)
    supervised, stats = predict(params, stats, labeled.weak)
    if method.labeler.guesses:
        strong, stats = predict(params, stats, join(labeled.strong, unlabeled.strong, n))
    return stats, memory, Outputs(
        labeled=supervised,
        weak=weak,
        strong=strong,
        label=jnp.asarray(labeled.label),
        pseudo=pseudo,
        given=join(labeled.label, jnp.full_like(unlabeled.label, -1), n),
        domain=join(labeled.domain, unlabeled.domain, n),
        num_domains=n,
        progress=state.step / setting.steps,
    )  # fmt: skip


def guesses(outputs: Outputs, batch: Batch) -> Metrics:
    """How many pseudo-labels of unlabeled images are kept, and how many of those are right.

    Counts, so that they add up over steps. Here alone the labels that were hidden are looked at.
    """
    if outputs.pseudo is None:
        return {}
    hidden = join(batch.labeled.label, batch.unlabeled.label, outputs.num_domains)
    unlabeled = outputs.given < 0
    kept = jnp.where(unlabeled, outputs.pseudo.weight, 0.0)
    known = kept * (hidden >= 0)
    return {
        "unlabeled": unlabeled.sum().astype(jnp.float32),
        "kept": kept.sum(),
        "known": known.sum(),
        "right": (known * (outputs.pseudo.label == hidden)).sum(),
    }


def join(
    labeled: Shaped[Tensor, "l ..."], unlabeled: Shaped[Tensor, "u ..."], num_domains: int
) -> Shaped[Array, "b ..."]:
    """Joins labeled and unlabeled examples row by row, so that each stays on its device.

    Concatenating end to end instead would move most of them to other devices.
    """
    rows, shape = len(labeled) // num_domains, labeled.shape[1:]
    parts = [part.reshape(rows, -1, *shape) for part in (labeled, unlabeled)]
    return jnp.concatenate(parts, axis=1).reshape(-1, *shape)


def normalise(
    images: UInt8[Tensor, "b h w 3"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Array, "b h w 3"]:
    """From bytes to numbers around zero."""
    return (jnp.asarray(images, jnp.float32) / 255 - jnp.array(mean)) / jnp.array(std)
