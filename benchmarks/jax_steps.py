"""jaxclr's side: the train step as ``jaxclr.main`` makes it, on a batch of the workload."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from measure import Work
from workload import (
    BACKBONE_RATE,
    DECAY,
    HEAD_RATE,
    MEAN,
    MOMENTUM,
    REPULSION,
    SHARPER,
    STD,
    TEMPERATURE,
    THRESHOLD,
    Case,
    images,
)  # fmt: skip

from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.models.convnet import ConvNet
from jaxclr.models.network import PureNetwork
from jaxclr.models.resnet import ResNet
from jaxclr.optim import Sgd
from jaxclr.training.layout import make_layout
from jaxclr.training.state import Setting, TrainState, initial_state
from jaxclr.training.step import make_train_step
from jaxclr.types import Batch, Views


def network(case: Case) -> PureNetwork:
    """The network with first weights; its classifier's are larger, so that guesses are sure."""
    kind, _, stem = case.network.partition("-")
    model = ConvNet(size=case.size) if kind == "convnet" else ResNet(stem=stem)
    built = model.build(case.classes, seed=0)
    head = {**built.params["head"], "kernel": SHARPER * built.params["head"]["kernel"]}
    return built._replace(params={**built.params, "head": head})


def setting(case: Case, *, repels: bool = True) -> Setting:
    """What the step is made from: FixMatch + FixCLR, or FixMatch alone."""
    base = fixmatch(threshold=THRESHOLD)
    method = fixclr(base, weight=REPULSION, temperature=TEMPERATURE) if repels else base
    # Of a run so long that the rates stand still.
    optimizer = Sgd(BACKBONE_RATE, HEAD_RATE, MOMENTUM, DECAY).build(steps=10**9)
    return Setting(
        network(case), method, optimizer, case.classes, case.domains, 10**9, MEAN, STD,
        num_unlabeled=case.domains * case.per_domain,
    )  # fmt: skip


def batch(case: Case) -> Batch:
    """The images, as the pipeline hands them over."""
    made = images(case)
    count = len(made.label)
    domain = np.arange(count, dtype=np.int32) % case.domains
    number = np.arange(count, dtype=np.int32)

    def views(weak: np.ndarray, strong: np.ndarray) -> Views:
        return Views(weak, strong, made.label, domain, number)

    return Batch(
        views(made.labeled, made.strong_labeled), views(made.unlabeled, made.strong_unlabeled)
    )


def flat(state: TrainState) -> dict[str, np.ndarray]:
    """Parameters and running statistics by their paths, parts of which dots join."""
    leaves = jax.tree_util.tree_leaves_with_path((state.params, state.stats))
    return {
        ".".join(str(key.key) for key in path[1:]): np.asarray(jax.device_get(leaf))
        for path, leaf in leaves
    }


def step(
    case: dict[str, Any], *, repels: bool = True, first: str | None = None, after: str | None = None
) -> Work:
    """Makes train steps.

    Args:
        case: Of the workload.
        repels: Whether FixCLR is added to FixMatch.
        first: Where the first weights are written.
        after: Where, when asked to tell, the weights are written as they then are.
    """
    chosen = Case(**case)
    made = setting(chosen, repels=repels)
    layout = make_layout(chosen.per_domain)
    train_step = jax.jit(make_train_step(made), donate_argnums=0, out_shardings=layout.replicated)
    state = initial_state(made)
    if first:
        np.savez(first, **flat(state))
    state, metrics = layout.put_state(state), {}
    given = batch(chosen)

    def run(steps: int) -> None:
        nonlocal state, metrics
        for _ in range(steps):
            state, metrics = train_step(state, layout.put_batch(given))
        jax.block_until_ready((state, metrics))

    def tell() -> dict[str, Any]:
        if after:
            np.savez(Path(after), **flat(state))
        return {name: float(value) for name, value in metrics.items()}

    return Work(run, tell)


def weights(case: dict[str, Any], *, first: str) -> Work:
    """Writes the first weights of a case, and makes no step."""
    np.savez(first, **flat(initial_state(setting(Case(**case)))))
    return Work(lambda steps: None)


def steps_of_any(*, most_bytes: float) -> Work:
    """Makes train steps of whichever case was chosen last, if its step fits in memory.

    Args:
        most_bytes: That a step may take beside the weights; one that needs more is not made.
    """
    state: dict[str, Any] = {}

    def choose(case: dict[str, Any]) -> dict[str, Any]:
        chosen = Case(**case)
        made, layout = setting(chosen), make_layout(chosen.per_domain)
        state.clear()
        first, given = layout.put_state(initial_state(made)), layout.put_batch(batch(chosen))
        step = jax.jit(make_train_step(made), donate_argnums=0, out_shardings=layout.replicated)
        compiled = step.lower(first, given).compile()
        temporary = compiled.memory_analysis().temp_size_in_bytes
        fits = layout.num_devices * temporary <= most_bytes
        if fits:
            state.update(step=compiled, state=first, batch=given)
        return {"temporary": temporary, "fits": fits}

    def run(steps: int) -> None:
        for _ in range(steps if state else 0):
            state["state"], _ = state["step"](state["state"], state["batch"])
        jax.block_until_ready(state.get("state"))

    return Work(run, lambda **asked: choose(**asked) if asked else {})
