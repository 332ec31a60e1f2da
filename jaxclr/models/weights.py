"""Weights made elsewhere: read from a file by name, and put where a network has them."""

import hashlib
import math
import re
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree, Shaped
from safetensors import SafetensorError
from safetensors.numpy import load_file

from jaxclr.errors import InputError, nearest
from jaxclr.models.unpickle import read_state_dict

HEAD = ("fc.weight", "fc.bias")
MODULES = {"downsample_conv": "downsample.0", "downsample_bn": "downsample.1"}
LEAVES = {
    "kernel": "weight", "scale": "weight", "bias": "bias",
    "mean": "running_mean", "var": "running_var",
}  # fmt: skip
# All that the readers were seen to raise over a file that is damaged or of another kind.
DAMAGE = (
    SafetensorError, zipfile.BadZipFile, zlib.error, ValueError, TypeError, KeyError,
    AttributeError, EOFError, OSError, NotImplementedError, RuntimeError,
)  # fmt: skip


class Loaded(NamedTuple):
    """A network's trees with weights put in, and what was put."""

    params: PyTree
    stats: PyTree
    report: str
    """How many of the parameters were loaded, and what was left as it is."""


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, by which to tell whether two runs started from the same weights.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputError: It is not there, or may not be read.
    """
    path = _there(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_arrays(path: str | Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Reads a file of named arrays; no code that a file may hold is run, and torch is not needed.

    Args:
        path: An ``.npz``, a ``.safetensors``, or a ``.pth`` or ``.pt`` that ``torch.save`` made of
            a state dict; the suffix says which.

    Returns:
        The arrays by name, of the types stored.

    Raises:
        InputError: It is not there, is damaged, or holds anything but arrays of numbers.
    """
    path = _there(path)
    if path.suffix not in READERS:
        allowed = nearest(path.suffix, READERS)
        raise InputError(f"{path}: its suffix is no known format of weights. {allowed}")
    arrays = READERS[path.suffix](path)
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" and array.dtype != jnp.bfloat16:
            raise InputError(f"{path}: {name} is of type {array.dtype}; only numbers are allowed.")
    return arrays


def load_resnet(
    arrays: Mapping[str, Shaped[np.ndarray, "..."]],
    params: PyTree,
    stats: PyTree,
    *,
    allow_partial: bool = False,
) -> Loaded:
    """Puts a ResNet's weights, named as torchvision and timm name them, into a network's trees.

    Kernels are turned from ``[out, in, h, w]`` to ``[h, w, in, out]``, the head from ``[k, d]`` to
    ``[d, k]``; all become float32. The head stays as it is where the file has none or one of
    another number of classes, and where the network's is not linear. What else the network has
    beside backbone and head, such as a projector, stays too.

    Args:
        arrays: As of :func:`read_arrays`; ``num_batches_tracked`` among them is not looked at.
        params: The network's initial parameters; not written to.
        stats: Its initial running statistics; not written to.
        allow_partial: Whether names may be missing, or left over. The report lists them.

    Returns:
        The trees with the weights put in, and a report.

    Raises:
        InputError: Names are missing or left over, or an array has another shape.
    """
    wanted = _named(params) | _named(stats)
    given = {name: x for name, x in arrays.items() if not name.endswith("num_batches_tracked")}
    notes = []
    if reason := _why_no_head(given, wanted):
        wanted, given = ({n: x for n, x in d.items() if n not in HEAD} for d in (wanted, given))
        notes.append(f"The head stays as it is: {reason}.")
    missing, over = wanted.keys() - given.keys(), given.keys() - wanted.keys()
    mismatch = [*_listed("Missing", missing), *_listed("Left over", over)]
    if mismatch and (not allow_partial or missing == wanted.keys()):
        raise InputError(
            f"These weights are of another network. {' '.join(mismatch)} Choose the model that "
            "they were made for, or, where some fit, allow that they are partial."
        )
    values = {name: _turned(x) for name, x in given.items() if name in wanted}
    _check_shapes(values, wanted)

    def filled(tree: PyTree) -> PyTree:
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: values.get(_torch_name(path), leaf), tree
        )

    counts = [f"{_count(tree, values):,} of {_count(tree):,}" for tree in (params, stats)]
    first = f"{counts[0]} parameters and {counts[1]} running statistics loaded."
    return Loaded(filled(params), filled(stats), " ".join([first, *notes, *mismatch]))


def _torch_name(path: tuple[Any, ...]) -> str:
    """What torchvision calls the leaf at a path of a network's tree; empty where it has none."""
    top, *modules, leaf = (str(key.key) for key in path)
    if leaf not in LEAVES or top not in ("backbone", "head"):
        return ""
    names = [re.sub(r"^(layer\d+)_(\d+)$", r"\1.\2", MODULES.get(m, m)) for m in modules]
    return ".".join([*(names if top == "backbone" else ["fc", *names]), LEAVES[leaf]])


def _named(tree: PyTree) -> dict[str, Any]:
    """The leaves of a tree by torchvision's names, those without a name left out."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {name: leaf for path, leaf in leaves if (name := _torch_name(path))}


def _why_no_head(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Why the file's head is not the network's; empty where it is."""
    if not any(name in given for name in HEAD):
        return "the file has none"
    if not all(name in wanted for name in HEAD):
        return "the network's is not linear"
    there = next(math.prod(given[name].shape[:1]) for name in HEAD if name in given)
    here = len(wanted["fc.bias"])
    return f"{there} classes there, {here} here" if there != here else ""


def _turned(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """From torch's order of axes to that of the trees, in float32 and memory of its own."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0)}.get(array.ndim)
    return np.array(array.transpose(axes) if axes else array, np.float32, order="C")


def _check_shapes(values: Mapping[str, np.ndarray], wanted: Mapping[str, Any]) -> None:
    wrong = [
        f"{name} is {x.shape}, not {wanted[name].shape}"
        for name, x in sorted(values.items())
        if x.shape != wanted[name].shape
    ]
    if wrong:
        raise InputError(
            f"These weights are of another network. In the order of axes used here, "
            f"{'; '.join(wrong)}. Choose the model that they were made for."
        )


def _listed(what: str, names: Collection[str]) -> list[str]:
    return [f"{what}: {', '.join(sorted(names))}."] if names else []


def _count(tree: PyTree, among: Collection[str] | None = None) -> int:
    """How many numbers a tree has; of the leaves ``among`` some names only, if given."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return sum(x.size for path, x in leaves if among is None or _torch_name(path) in among)


def _there(path: str | Path) -> Path:
    """The path, of a file that may be read."""
    path = Path(path)
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in arrays.files}
    except DAMAGE as error:
        raise InputError(
            f"{path}: cannot be read as an .npz of arrays of numbers ({error}); was its download "
            "cut short, or does it hold objects?"
        ) from error


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(path)
    except DAMAGE as error:
        raise InputError(
            f"{path}: cannot be read as .safetensors ({error}); was its download cut short?"
        ) from error


READERS = {
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".pth": read_state_dict,
    ".pt": read_state_dict,
}
