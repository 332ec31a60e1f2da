"""Files as ``torch.save`` writes them, by Python's own pickler and a stand-in for torch."""

import io
import pickle
import sys
import types
import unittest.mock
import zipfile
from collections import OrderedDict
from pathlib import Path

import jax.numpy as jnp
import numpy as np

STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "BFloat16Storage": jnp.bfloat16,
    "LongStorage": np.int64,
}
OTHERS = ("IntStorage", "ByteStorage")


def stand_in() -> dict[str, types.ModuleType]:
    """Just enough of torch for its names to be written."""
    modules = {name: types.ModuleType(name) for name in ("torch", "torch._utils")}
    for name in (*STORAGES, *OTHERS):
        setattr(modules["torch"], name, type(name, (), {"__module__": "torch"}))
    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
        call = types.FunctionType((lambda *_: None).__code__, {}, name)
        call.__module__, call.__qualname__ = "torch._utils", name
        setattr(modules["torch._utils"], name, call)
    return modules


class Storage:
    """Numbers in a row, of a type that torch has a name for."""

    def __init__(self, values, kind: str = "FloatStorage"):
        self.values = np.asarray(values, STORAGES.get(kind, np.uint8)).ravel()
        self.kind = kind


class Tensor:
    """A view of a storage."""

    def __init__(self, storage: Storage, size=None, stride=(1,), offset=0):
        self.storage = storage
        self.size = (len(storage.values),) if size is None else size
        self.stride, self.offset = stride, offset

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        place = (self.storage, self.offset, self.size, self.stride)
        return rebuild, (*place, False, OrderedDict())


class Parameter:
    """A tensor that torch would train."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_parameter, (self.tensor, True, OrderedDict())


def tensor(array, kind: str = "FloatStorage") -> Tensor:
    """A tensor of its own storage, laid out row by row."""
    array = np.asarray(array, STORAGES[kind])
    strides = tuple(step // array.itemsize for step in array.strides)
    return Tensor(Storage(array, kind), array.shape, strides)


def state_dict(**tensors) -> OrderedDict:
    """A state dict with what torch notes of its layers."""
    state = OrderedDict((name.replace("__", "."), value) for name, value in tensors.items())
    state._metadata = OrderedDict({"": {"version": 1}})
    return state


class Pickler(pickle.Pickler):
    """Writes storages as torch does: their kind and number, and not what is in them."""

    def __init__(self, file, protocol: int):
        super().__init__(file, protocol)
        self.storages: list[Storage] = []

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        if obj not in self.storages:
            self.storages.append(obj)
        key = str(self.storages.index(obj))
        return "storage", getattr(sys.modules["torch"], obj.kind), key, "cpu", len(obj.values)


def pickled(content: object, protocol: int = 2) -> tuple[bytes, list[Storage]]:
    """The program that rebuilds some content, and the storages it reads."""
    file = io.BytesIO()
    pickler = Pickler(file, protocol)
    with unittest.mock.patch.dict(sys.modules, stand_in()):
        pickler.dump(content)
    return file.getvalue(), pickler.storages


def zipped(
    path: Path, program: bytes, storages=(), order: bytes = b"little", how=zipfile.ZIP_STORED
) -> Path:
    """The archive around a program, in a folder of the file's name as torch has it."""
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr(f"{path.stem}/data.pkl", program)
        archive.writestr(f"{path.stem}/byteorder", order)
        for key, storage in enumerate(storages):
            archive.writestr(f"{path.stem}/data/{key}", storage.values.tobytes())
        archive.writestr(f"{path.stem}/version", b"3\n")
    return path


def saved(path: Path, content: object, protocol: int = 2) -> Path:
    """What ``torch.save`` would write."""
    return zipped(path, *pickled(content, protocol))
