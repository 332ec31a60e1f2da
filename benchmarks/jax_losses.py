"""jaxclr's side of the losses alone, and FixCLR in JAX with all pairs in memory."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from measure import Work
from pairs_work import DOF, SCALE2, TEMPERATURES, Pairs, Size, pairs

from jaxclr.losses import (
    gaussian_t_calibration,
    masked_mean,
    negative_class_contrastive,
    nt_xent,
    semi_supervised_contrastive,
    unit,
)

Loss = Callable[[jax.Array, Pairs], jax.Array]


def fixclr(size: Size) -> Loss:
    """The mean over the pairs of class and domain that exist."""

    def loss(vectors: jax.Array, given: Pairs) -> jax.Array:
        values, exists = negative_class_contrastive(
            vectors, given.label, given.domain, given.weight, num_classes=size.classes,
            num_domains=size.domains, temperature=TEMPERATURES["fixclr"],
        )  # fmt: skip
        return masked_mean(values, exists)

    return loss


def fixclr_dense(size: Size) -> Loss:
    """The same value with a matrix of all pairs, differentiated by JAX."""

    def loss(vectors: jax.Array, given: Pairs) -> jax.Array:
        of_class = jax.nn.one_hot(given.label, size.classes) * given.weight[:, None]
        of_domain = jax.nn.one_hot(given.domain, size.domains) * given.weight[:, None]
        z = unit(vectors)
        kernel = jnp.exp((z @ z.T - 1) / TEMPERATURES["fixclr"])
        apart = jnp.where(given.label[:, None] == given.label, 0.0, kernel)
        values = jnp.log1p(of_class.T @ (apart @ of_domain))
        both = (of_class > 0).astype(jnp.float32).T @ of_domain
        exists = (of_class.sum(0)[:, None] > 0) & (of_domain.sum(0) - both > 0)
        return masked_mean(values, exists)

    return loss


def ssc(size: Size) -> Loss:
    """The mean over the anchors that have a positive."""

    def loss(vectors: jax.Array, given: Pairs) -> jax.Array:
        values, counts = semi_supervised_contrastive(
            vectors, given.own_label, given.weight, given.prototypes,
            temperature=TEMPERATURES["ssc"],
        )  # fmt: skip
        return masked_mean(values, counts)

    return loss


def adc(size: Size) -> Loss:
    """The sum over the anchors."""
    return lambda vectors, given: gaussian_t_calibration(vectors, scale2=SCALE2, dof=DOF).sum()


def views(size: Size) -> Loss:
    """NT-Xent of the first half of the vectors with the second, the mean over images."""
    half = size.examples // 2

    def loss(vectors: jax.Array, given: Pairs) -> jax.Array:
        values = nt_xent(vectors[:half], vectors[half:], temperature=TEMPERATURES["nt_xent"])
        return values.mean()

    return loss


MAKERS = {
    "fixclr": fixclr, "fixclr_dense": fixclr_dense, "ssc": ssc, "adc": adc, "nt_xent": views,
}  # fmt: skip


def choosing() -> Work:
    """Values and gradients of whichever loss was chosen last."""
    state: dict[str, Any] = {}

    def choose(loss: str, size: tuple[int, int, int]) -> dict[str, Any]:
        chosen = Size(*size)
        given = Pairs(*map(jnp.asarray, pairs(chosen)))
        # All are arguments: of constants the compiler would compute beforehand what it can.
        made = jax.jit(jax.value_and_grad(MAKERS[loss](chosen)), keep_unused=True)
        compiled = made.lower(given.vectors, given).compile()
        state.clear()
        state.update(step=compiled, given=given)
        return {"temporary": compiled.memory_analysis().temp_size_in_bytes}

    def run(steps: int) -> None:
        for _ in range(steps if state else 0):
            state["found"] = state["step"](state["given"].vectors, state["given"])
        jax.block_until_ready(state.get("found"))

    def tell(**asked: Any) -> dict[str, Any]:
        if asked:
            return choose(**asked)
        value, gradient = state["found"]
        return {"value": float(value), "slope": float((gradient * state["given"].probe).sum())}

    return Work(run, tell)
