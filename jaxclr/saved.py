"""A finished run, read back from its folder alone: what it was, and the network it made."""

import ast
import dataclasses
import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxclr.errors import InputError
from jaxclr.experiment import Experiment
from jaxclr.models.network import PureNetwork
from jaxclr.models.store import read_all
from jaxclr.models.weights import read_arrays
from jaxclr.records import read_results

NUMBERS = {"inf": math.inf, "nan": math.nan}
"""How numbers are written that are no literals."""


class Saved(NamedTuple):
    """What a finished run holds."""

    folder: Path
    experiment: Experiment
    classes: tuple[str, ...]
    results: Mapping[str, Any]
    """Of ``results.json``."""
    network: PureNetwork
    """With the weights and statistics that were tested."""


def read_saved(folder: Path) -> Saved:
    """Reads a finished run; its images are not needed.

    Args:
        folder: ``<experiment>/<target>/seed<S>``.

    Raises:
        InputError: It holds no finished run, or its files are damaged.
    """
    _refuse_several(folder)
    results, code = read_results(folder)
    experiment = read_experiment(folder / "experiment.txt", code)
    classes = tuple(results["classes"])
    network = experiment.model.build(
        len(classes), seed=results["seed"], dtype=jnp.dtype(experiment.dtype)
    )
    path = folder / "weights.npz"
    params, stats = read_all(path, read_arrays(path), network.params, network.stats)
    network = network._replace(params=params, stats=stats)
    return Saved(folder, experiment, classes, results, network)


def read_experiment(path: Path, code: str) -> Experiment:
    """Makes an experiment anew from its code, of which nothing is run but what settings are.

    Args:
        path: Where the code was read, for messages.
        code: As a run writes it: comments that name where settings come from, then one expression
            of settings, literals, and nothing else.

    Raises:
        InputError: It is something else, or a setting is not to be found.
    """
    sources = {}
    for line in code.splitlines():
        words = line.removeprefix("# ").split()
        if line.startswith("# ") and len(words) == 4 and (words[0], words[2]) == ("from", "import"):
            sources[words[3]] = words[1]
    try:
        value = _made(ast.parse(code, mode="eval").body, sources)
    except (SyntaxError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not say what was run: {error}.") from error
    if not isinstance(value, Experiment):
        raise InputError(f"{path} does not say what was run: it holds no Experiment.")
    return value


def _made(node: ast.expr, sources: Mapping[str, str]) -> Any:
    """The value of an expression of settings and literals."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[]):
            return _setting(name, sources)(
                **{str(keyword.arg): _made(keyword.value, sources) for keyword in node.keywords}
            )
        case ast.Dict(keys=keys):
            pairs = zip(keys, node.values, strict=True)
            return {ast.literal_eval(k): _made(v, sources) for k, v in pairs if k is not None}
        case ast.Tuple(elts=parts):
            return tuple(_made(part, sources) for part in parts)
        case ast.Name(id=name) if name in NUMBERS:
            return NUMBERS[name]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id=name)) if name in NUMBERS:
            return -NUMBERS[name]
    return ast.literal_eval(node)


def _setting(name: str, sources: Mapping[str, str]) -> type:
    """The class of settings of that name."""
    if name not in sources:
        raise ValueError(f"it does not say where {name} comes from")
    try:
        found = getattr(importlib.import_module(sources[name]), name, None)
    except ImportError as error:
        raise InputError(
            f"The run has settings {name!r} of the module {sources[name]}, which is not to be "
            f"found ({error}). Install what it is in, or give its folder by PYTHONPATH. Settings "
            "that a run is to be read back with must not stand in the experiment's own file."
        ) from error
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ValueError(f"{sources[name]} has no settings {name}")
    return found


def _refuse_several(folder: Path) -> None:
    """Tells which runs there are where the folder of an experiment, or of a target, is given.

    Raises:
        InputError: It is one.
    """
    found = [*folder.glob("*/seed*/results.json"), *folder.glob("seed*/results.json")]
    runs = sorted(str(path.parent) for path in found)
    if runs:
        raise InputError(f"{folder} holds {len(runs)} runs. Choose one: {', '.join(runs)}.")
