"""torch's files of weights, read without torch and without running anything that they say.

Such a file is a zip: a pickle that tells what tensors there are, and one entry of bare numbers for
each storage. A pickle is a program that may call anything. Python's own reader is not used here;
the few instructions that a state dict needs are carried out on plain data, with three names known
to them, and any other instruction or name ends the reading.
"""

import math
import pickletools
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from jaxclr.errors import InputError

STORAGES = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch BFloat16Storage": np.dtype(jnp.bfloat16),
    "torch LongStorage": np.dtype("<i8"),
}
WRAPPERS = ("state_dict", "model")
CONSTANTS = {
    "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple,
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
}  # fmt: skip
LITERALS = ("BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
# All that the standard library was seen to raise over a zip or a pickle that is damaged.
DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, StopIteration, OverflowError,
    EOFError, OSError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
    struct.error, DeprecationWarning,
)  # fmt: skip


class Refused(Exception):
    """Something that no state dict holds; the message says what."""


class Name(NamedTuple):
    """What a pickle asks to be imported: nothing but its name is kept."""

    name: str


class Mark:
    """Where on the stack the members of a tuple or dictionary begin."""


def read_state_dict(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Reads the tensors of a state dict that ``torch.save`` wrote; nothing of the file is run.

    A dictionary that holds the state dict as ``state_dict`` or ``model`` is looked into.

    Args:
        path: An existing file, as torch writes them since its version 1.6.

    Returns:
        Arrays by name, as stored; they share memory where the tensors did, and are read-only.

    Raises:
        InputError: It is no such file, is damaged, or holds anything but numbers by name.
    """
    with path.open("rb") as file:
        start = file.read(1)
    if start == b"\x80":
        raise InputError(
            f"{path}: is in the format that torch wrote before its version 1.6, and only torch "
            f"reads it. Where that is installed, convert the file once: torch.save(torch.load("
            f"{path.name!r}, weights_only=True), {'new_' + path.name!r})."
        )
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            # An escape in a damaged string that Python knows no meaning of is but warned of.
            warnings.simplefilter("error", DeprecationWarning)
            return _tensors(_interpret(*_opened(archive)))
    except Refused as refused:
        raise InputError(
            f"{path}: {refused}. Nothing of the file was run. Give one that holds tensors by name "
            "and nothing else, as torch.save(model.state_dict(), 'new.pth') makes it."
        ) from refused
    except DAMAGE as error:
        raise InputError(
            f"{path}: cannot be read as torch's file of weights ({error}); was its download cut "
            "short?"
        ) from error


def _opened(archive: zipfile.ZipFile) -> tuple[bytes, Callable[[Any], np.ndarray]]:
    """The program of an archive, and what it gets its storages by."""
    programs = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
    if len(programs) != 1:
        raise Refused(f"is a zip with {len(programs)} entries */data.pkl, not 1")
    folder = programs[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist():
        order = _stored(archive, f"{folder}byteorder")
        if order != b"little":
            raise Refused(f"has numbers in byte order {order!r}, not b'little'")
    storages: dict[tuple[str, str], np.ndarray] = {}

    def storage(identity: Any) -> np.ndarray:
        kind, of, key, _, count = identity
        if kind != "storage" or not isinstance(of, Name) or of.name not in STORAGES:
            raise Refused(f"has {_shown(of)} in place of a storage")
        if (of.name, key) not in storages:
            data = _stored(archive, f"{folder}data/{key}")
            dtype = STORAGES[of.name]
            if len(data) != count * dtype.itemsize:
                raise Refused(f"has a storage {key} of {len(data)} bytes, not {count} x {dtype}")
            storages[of.name, key] = np.frombuffer(data, dtype)
        return storages[of.name, key]

    return _stored(archive, programs[0]), storage


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """An entry's bytes, which torch leaves uncompressed: none is larger than the file."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise Refused(f"has a compressed entry {name}, which torch does not make")
    return archive.read(name)


def _interpret(program: bytes, storage: Callable[[Any], np.ndarray]) -> object:
    """Carries out a pickle's instructions on a stack of plain data."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for opcode, argument, _ in pickletools.genops(program):
        match opcode.name:
            case "PROTO" | "STOP":
                pass
            case name if name in LITERALS:
                stack.append(argument)
            case name if name in CONSTANTS:
                stack.append(CONSTANTS[name]())
            case "MARK":
                stack.append(Mark())
            case "TUPLE":
                stack.append(tuple(_since_mark(stack)))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                stack.append(tuple(_taken(stack, int(name[-1]))))
            case "APPEND" | "APPENDS" as name:
                items = _since_mark(stack) if name == "APPENDS" else _taken(stack, 1)
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS" as name:
                items = _since_mark(stack) if name == "SETITEMS" else _taken(stack, 2)
                _put(stack[-1], items)
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_known(argument))
            case "BINPERSID":
                stack.append(storage(stack.pop()))
            case "REDUCE":
                called, arguments = _taken(stack, 2)
                stack.append(CALLS[called.name](*arguments))
            case "BUILD":
                # The versions of a state dict's layers, which no array depends on.
                stack.pop()
            case name:
                raise Refused(f"has the instruction {name}, which no state dict needs")
    return stack.pop()


def _taken(stack: list[Any], count: int) -> list[Any]:
    """The uppermost items, which are taken off."""
    if len(stack) < count:
        raise IndexError("its pickle takes more than it has put")
    taken = stack[-count:]
    del stack[-count:]
    return taken


def _since_mark(stack: list[Any]) -> list[Any]:
    """All items above the uppermost mark, which are taken off with it."""
    above = next(n for n, item in enumerate(reversed(stack)) if type(item) is Mark)
    return _taken(stack, above + 1)[1:]


def _put(into: Any, items: list[Any]) -> None:
    """Adds keys and values, which stand in turns."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | int):
            raise Refused(f"has a key that is no name: {_shown(key)}")
        into[key] = value


def _known(name: Any) -> Name:
    """A name that a state dict may ask for; no other gets past here."""
    if name not in CALLS and name not in STORAGES:
        allowed = ", ".join(name.replace(" ", ".") for name in (*CALLS, *STORAGES))
        raise Refused(f"holds {_shown(Name(name))}, which is none of {allowed}")
    return Name(name)


def _dictionary() -> dict[Any, Any]:
    """What ``collections.OrderedDict()`` stands for."""
    return {}


def _parameter(tensor: object, requires_grad: object, hooks: object) -> object:
    """What ``torch._utils._rebuild_parameter`` stands for: the numbers alone."""
    return tensor


def _tensor(storage: object, offset: Any, size: Any, stride: Any, *_: object) -> np.ndarray:
    """What ``torch._utils._rebuild_tensor_v2`` stands for: a view that stays in its storage."""
    if not isinstance(storage, np.ndarray):
        raise Refused(f"has {_shown(storage)} in place of a storage")
    if not all(type(number) is int and number >= 0 for number in (offset, *size, *stride)):
        raise Refused("has a tensor whose offset, size or stride is no whole number from 0 on")
    count = math.prod(size)
    end = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    # More numbers than are stored: a view that repeats them could fill any memory.
    if count and max(end, count) > len(storage):
        raise Refused(
            f"has a tensor of offset {offset}, size {size} and stride {stride}, which does not fit "
            f"its storage of {len(storage)} numbers"
        )
    steps = [step * storage.itemsize for step in stride]
    start = storage[offset if count else 0 :]
    return np.lib.stride_tricks.as_strided(start, size, steps, writeable=False)


CALLS: dict[str, Callable[..., Any]] = {
    "collections OrderedDict": _dictionary,
    "torch._utils _rebuild_parameter": _parameter,
    "torch._utils _rebuild_tensor_v2": _tensor,
}


def _tensors(found: object) -> dict[str, np.ndarray]:
    """Checks that what was read is arrays by name, or holds them."""
    if isinstance(found, dict):
        found = next((found[name] for name in WRAPPERS if isinstance(found.get(name), dict)), found)
    if not isinstance(found, dict) or not found:
        raise Refused(f"holds {_shown(found)} in place of tensors by name")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray):
            raise Refused(f"holds {_shown(value)} as {name!r}, which is no tensor")
    return found


def _shown(value: object) -> str:
    """Names a value for a message; what holds others is not written out."""
    if isinstance(value, Name):
        value = value.name.replace(" ", ".")
    plain = isinstance(value, str | int | float | None)
    return f"{value!r:.80}" if plain else type(value).__name__
