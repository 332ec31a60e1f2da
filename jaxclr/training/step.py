"""The train step: a pure function from a state and a batch to the next state and its metrics."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxclr.metrics import GRADIENT, PARTS
from jaxclr.training.passes import Nudges, forward, no_nudges
from jaxclr.training.rows import join
from jaxclr.training.state import Frozen, Setting, TrainState
from jaxclr.types import Batch, Outputs

Metrics = dict[str, Float[Array, "..."]]
NOTHING = Frozen()


@runtime_checkable
class TrainStep(Protocol):
    """A step of one run."""

    def __call__(
        self, state: TrainState, batch: Batch, frozen: Frozen = ...
    ) -> tuple[TrainState, Metrics]:
        """The state after the batch; and metrics of the state before it."""
        ...


def make_train_step(setting: Setting) -> TrainStep:
    """The step of a run, to be jitted by the caller."""

    def loss_fn(
        params: PyTree, nudges: Nudges, state: TrainState, batch: Batch, frozen: Frozen
    ) -> tuple[Metrics, Any]:
        params = setting.gathered(params)
        stats, memory, outputs = forward(setting, params, state, batch, frozen, nudges)
        loss, terms = setting.method.loss(outputs)
        metrics = {"loss": loss, **terms, **guesses(outputs, batch, setting.num_classes)}
        return setting.method.weighted(terms), (stats, memory, metrics)

    def train_step(
        state: TrainState, batch: Batch, frozen: Frozen = NOTHING
    ) -> tuple[TrainState, Metrics]:
        nudges = no_nudges(setting, batch) if setting.gradient_norms else {}
        terms, pull, aux = jax.vjp(
            lambda params, nudges: loss_fn(params, nudges, state, batch, frozen),
            state.params, nudges, has_aux=True,
        )  # fmt: skip
        grads, _ = pull(jax.tree.map(jnp.ones_like, terms))
        stats, memory, metrics = aux
        if nudges:
            metrics |= gradient_norms(terms, lambda chosen: pull(chosen)[1])
        updates, opt_state = setting.optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        ema = state.ema
        if setting.ema_decay is not None:
            ema = optax.incremental_update(params, ema, 1 - setting.ema_decay)
        after = state._replace(
            step=state.step + 1, params=params, stats=stats, opt_state=opt_state, memory=memory,
            ema=ema,
        )  # fmt: skip
        return after, metrics

    return train_step


def gradient_norms(terms: Metrics, pull: Callable[[Metrics], PyTree]) -> Metrics:
    """The Euclidean norm of each term's gradient in the features of all passes, with its weight.

    Args:
        terms: The summands of the loss.
        pull: From a cotangent of them to that of the features. What lies before the features is
            not differentiated anew, since nothing of it is asked for.
    """
    none = jax.tree.map(jnp.zeros_like, terms)

    def norm(name: str) -> Float[Array, ""]:
        pulled = jax.tree.leaves(pull({**none, name: jnp.ones_like(terms[name])}))
        return jnp.sqrt(sum(jnp.sum(x**2) for x in pulled))

    return {f"{name}{GRADIENT}": norm(name) for name in terms}


def guesses(outputs: Outputs, batch: Batch, num_classes: int) -> Metrics:
    """How many pseudo-labels of unlabeled images are kept, and how many of those are right.

    Counts, so that they add up over steps; once more of each domain and hidden class, images of no
    known class last. Here alone the labels that were hidden are looked at.
    """
    if outputs.pseudo is None:
        return {}
    hidden = join(batch.labeled.label, batch.unlabeled.label, outputs.num_domains)
    unlabeled = (outputs.given < 0).astype(jnp.float32)
    kept = unlabeled * outputs.pseudo.weight
    right = kept * (outputs.pseudo.label == hidden) * (hidden >= 0)
    counts = jnp.stack([unlabeled, kept, right], axis=-1)
    domain = jax.nn.one_hot(outputs.domain, outputs.num_domains)
    label = jax.nn.one_hot(jnp.where(hidden < 0, num_classes, hidden), num_classes + 1)
    return {
        "unlabeled": unlabeled.sum(),
        "kept": kept.sum(),
        "known": (kept * (hidden >= 0)).sum(),
        "right": right.sum(),
        PARTS: jnp.einsum("bd,bk,bn->dkn", domain, label, counts, precision="highest"),
    }
