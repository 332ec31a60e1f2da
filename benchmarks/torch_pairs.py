"""Torch's side of the losses alone: vectorised, and FixCLR by loops."""

from collections.abc import Callable
from typing import Any

import torch
import torch_losses
from measure import Work
from pairs_work import DOF, SCALE2, TEMPERATURES, Pairs, Size, pairs
from torch import Tensor
from torch_field import every_core

Loss = Callable[[Tensor], Tensor]


def repulsion(function: Callable[..., Tensor], given: Pairs, size: Size, **more: Any) -> Loss:
    """FixCLR by one of the functions."""
    return lambda vectors: function(
        vectors, given.label, given.domain, given.weight, num_classes=size.classes,
        num_domains=size.domains, temperature=TEMPERATURES["fixclr"], **more,
    )  # fmt: skip


def loss_of(name: str, given: Pairs, size: Size) -> Loss:
    """The loss of that name, of vectors."""
    half, temperature = size.examples // 2, TEMPERATURES.get(name, 0.0)
    makers: dict[str, Callable[[], Loss]] = {
        "loops": lambda: repulsion(torch_losses.fixclr_loops, given, size),
        "fixclr": lambda: repulsion(torch_losses.fixclr, given, size),
        "fixclr, trusted alone": lambda: repulsion(
            torch_losses.fixclr_of_trusted, given, size, block=size.examples
        ),
        "fixclr, in blocks": lambda: repulsion(
            torch_losses.fixclr_of_trusted, given, size, block=512
        ),
        "ssc": lambda: (
            lambda x: torch_losses.ssc(
                x, given.own_label, given.weight, given.prototypes, temperature=temperature
            )
        ),
        "adc": lambda: lambda x: torch_losses.adc(x, scale2=SCALE2, dof=DOF),
        "nt_xent": lambda: (
            lambda x: torch_losses.nt_xent(x[:half], x[half:], temperature=temperature)
        ),
    }
    return makers[name]()


def choosing() -> Work:
    """Values and gradients of whichever loss was chosen last."""
    every_core()
    made: dict[tuple[str, Size, bool], tuple[Loss, Pairs]] = {}
    state: dict[str, Any] = {"loss": torch.sum, "vectors": torch.zeros(1, requires_grad=True)}

    def choose(loss: str, size: tuple[int, int, int], compiled: bool = False) -> dict[str, Any]:
        key = loss, Size(*size), compiled
        if any(other != key[1] for _, other, _ in made):
            made.clear()
        if key not in made:
            given = tensors(key[1])
            function = loss_of(loss, given, key[1])
            made[key] = torch.compile(function, dynamic=False) if compiled else function, given
        function, given = made[key]
        vectors = given.vectors.clone().requires_grad_()
        state.update(loss=function, vectors=vectors, probe=given.probe)
        return {}

    def run(steps: int) -> None:
        for _ in range(steps):
            state["vectors"].grad = None
            state["value"] = state["loss"](state["vectors"])
            state["value"].backward()

    def tell(**asked: Any) -> dict[str, Any]:
        if asked:
            return choose(**asked)
        slope = (state["vectors"].grad * state["probe"]).sum()
        return {"value": state["value"].item(), "slope": slope.item()}

    return Work(run, tell)


def tensors(size: Size) -> Pairs:
    """The batch of a size."""
    made = Pairs(*(torch.from_numpy(x) for x in pairs(size)))
    return made._replace(
        label=made.label.long(), domain=made.domain.long(), own_label=made.own_label.long()
    )
