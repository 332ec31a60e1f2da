"""Weights made elsewhere: read from a file by name, and put where a network has them."""

import hashlib
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
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

LEAVES = {
    "kernel": "weight", "scale": "weight", "bias": "bias",
    "mean": "running_mean", "var": "running_var",
    "cls_token": "cls_token", "pos_embed": "pos_embed",
}  # fmt: skip
# All that the readers were seen to raise over a file that is damaged or of another kind.
DAMAGE = (
    SafetensorError, zipfile.BadZipFile, zlib.error, ValueError, TypeError, KeyError,
    AttributeError, EOFError, OSError, NotImplementedError, RuntimeError,
)  # fmt: skip


def _as_it_is(
    name: str, array: Shaped[np.ndarray, "..."], shape: tuple[int, ...]
) -> Shaped[np.ndarray, "..."]:
    """The array, whatever the shape wanted."""
    return array


class Naming(NamedTuple):
    """How files made elsewhere name a network's arrays."""

    module: Callable[[str], str]
    """From a module's name here to its name there."""
    head: str
    """Name of the linear classifier there."""
    fitted: Callable[[str, np.ndarray, tuple[int, ...]], np.ndarray] = _as_it_is
    """From an array's name, itself, and the shape wanted to an array that is resized where it can
    be; by default as it is."""

    def name(self, path: tuple[Any, ...]) -> str:
        """What the leaf at a path of a network's tree is called; empty where it has no name."""
        top, *modules, leaf = (str(key.key) for key in path)
        if leaf not in LEAVES or top not in ("backbone", "head"):
            return ""
        names = [*map(self.module, modules)]
        return ".".join([*(names if top == "backbone" else [self.head, *names]), LEAVES[leaf]])


def _resnet_module(name: str) -> str:
    shortcut = {"downsample_conv": "downsample.0", "downsample_bn": "downsample.1"}
    return re.sub(r"^(layer\d+)_(\d+)$", r"\1.\2", shortcut.get(name, name))


RESNET = Naming(_resnet_module, "fc")
"""torchvision's names, which timm keeps."""


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

    Args:
        arrays: See :func:`load`.
        params: The network's initial parameters; not written to.
        stats: Its initial running statistics; not written to.
        allow_partial: See :func:`load`.

    Returns:
        The trees with the weights put in, and a report.

    Raises:
        InputError: Names are missing or left over, or an array has another shape.
    """
    return load(arrays, params, stats, naming=RESNET, allow_partial=allow_partial)


def load(
    arrays: Mapping[str, Shaped[np.ndarray, "..."]],
    params: PyTree,
    stats: PyTree,
    *,
    naming: Naming,
    allow_partial: bool = False,
    assumed: Collection[str] = (),
) -> Loaded:
    """Puts weights of a file made elsewhere into a network's trees.

    Kernels are turned from ``[out, in, h, w]`` to ``[h, w, in, out]``, the weights of linear
    layers from ``[out, in]`` to ``[in, out]``; all become float32. The head stays as it is where
    the file has none or one of another number of classes, and where the network's is not linear.
    What else the network has beside backbone and head, such as a projector, stays too.

    Args:
        arrays: As of :func:`read_arrays`; ``num_batches_tracked`` among them is not looked at.
        params: The network's initial parameters; not written to.
        stats: Its initial running statistics; not written to.
        naming: How the file names what is in the trees.
        allow_partial: Whether names may be missing, or left over. The report lists them.
        assumed: Names of arrays that are not of the file: put in, but not counted.

    Returns:
        The trees with the weights put in, and a report.

    Raises:
        InputError: Names are missing or left over, or an array has another shape.
    """
    head = (f"{naming.head}.weight", f"{naming.head}.bias")
    wanted = _named(params, naming) | _named(stats, naming)
    given = {name: x for name, x in arrays.items() if not name.endswith("num_batches_tracked")}
    notes = []
    if reason := _why_no_head(given, wanted, head):
        wanted, given = ({n: x for n, x in d.items() if n not in head} for d in (wanted, given))
        notes.append(f"The head stays as it is: {reason}.")
    missing, over = wanted.keys() - given.keys(), given.keys() - wanted.keys()
    mismatch = [*_listed("Missing", missing), *_listed("Left over", over)]
    if mismatch and (not allow_partial or missing == wanted.keys()):
        raise InputError(
            f"These weights are of another network. {' '.join(mismatch)} Choose the model that "
            "they were made for, or, where some fit, allow that they are partial."
        )
    values = {}
    for name in sorted(wanted.keys() & given.keys()):
        turned, shape = _turned(given[name]), wanted[name].shape
        values[name] = naming.fitted(name, turned, shape)
        if values[name].shape != turned.shape:
            notes.append(f"{name} was resized from {turned.shape} to {shape}.")
    _check_shapes(values, wanted)

    def filled(tree: PyTree) -> PyTree:
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: values.get(naming.name(path), leaf), tree
        )

    counted = values.keys() - set(assumed)
    counts = [
        f"{sum(x.size for name, x in _named(tree, naming).items() if name in counted):,} of "
        f"{sum(x.size for x in jax.tree.leaves(tree)):,}"
        for tree in (params, stats)
    ]
    first = f"{counts[0]} parameters and {counts[1]} running statistics loaded."
    return Loaded(filled(params), filled(stats), " ".join([first, *notes, *mismatch]))


def _named(tree: PyTree, naming: Naming) -> dict[str, Any]:
    """The leaves of a tree by the names in files, those without a name left out."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {name: leaf for path, leaf in leaves if (name := naming.name(path))}


def _why_no_head(given: Mapping[str, Any], wanted: Mapping[str, Any], head: tuple[str, str]) -> str:
    """Why the file's head is not the network's; empty where it is."""
    if not any(name in given for name in head):
        return "the file has none"
    if not all(name in wanted for name in head):
        return "the network's is not linear"
    there = next(math.prod(given[name].shape[:1]) for name in head if name in given)
    here = len(wanted[head[1]])
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
