import os
import pickle
import zipfile
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch_files import (
    STORAGES,
    Parameter,
    Storage,
    Tensor,
    pickled,
    saved,
    state_dict,
    tensor,
    zipped,
)

from jaxclr.errors import InputError
from jaxclr.models.unpickle import read_state_dict

WHAT_TO_DO = r"torch\.save\(model\.state_dict\(\)"


def refused(path, match: str):
    with pytest.raises(InputError, match=match) as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("shape", [(2, 3, 4), (5,), (), (0, 3)], ids=str)
def test_tensors_are_read_as_they_were_saved(tmp_path, kind, shape):
    values = np.arange(-3, np.prod(shape) - 3).reshape(shape).astype(STORAGES[kind])
    path = saved(tmp_path / "some.pth", state_dict(layer__weight=tensor(values, kind)))
    found = read_state_dict(path)
    assert list(found) == ["layer.weight"]
    assert found["layer.weight"].dtype == np.dtype(STORAGES[kind])
    np.testing.assert_array_equal(found["layer.weight"], values)


def test_views_of_one_storage_are_read_where_they_lie_in_it(tmp_path):
    storage = Storage(np.arange(24))
    views = {
        "whole": Tensor(storage, (2, 3, 4), (12, 4, 1)),
        "turned": Tensor(storage, (4, 6), (1, 4)),
        "inner": Tensor(storage, (2, 3), (12, 2), offset=7),
        "last": Tensor(storage, (), (), offset=23),
    }
    found = read_state_dict(saved(tmp_path / "views.pt", state_dict(**views)))
    numbers = np.arange(24, dtype=np.float32)
    expected = {
        "whole": numbers.reshape(2, 3, 4),
        "turned": numbers.reshape(6, 4).T,
        "inner": [[7, 9, 11], [19, 21, 23]],
        "last": 23,
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    assert np.shares_memory(found["whole"], found["turned"])


def test_parameters_are_their_tensors(tmp_path):
    path = saved(tmp_path / "some.pth", {"w": Parameter(tensor([1.0, 2.0]))})
    np.testing.assert_array_equal(read_state_dict(path)["w"], [1, 2])


@pytest.mark.parametrize("name", ["state_dict", "model"])
def test_a_checkpoint_is_looked_into(tmp_path, name):
    optimizer = {"state": {0: {"step": 7.5}}, "groups": [{"params": [0, 1], "nesterov": False}]}
    content = {"epoch": 300, "best": None, name: state_dict(w=tensor([3.0])), "opt": optimizer}
    path = saved(tmp_path / "checkpoint.pth", content)
    assert {n: x.tolist() for n, x in read_state_dict(path).items()} == {"w": [3]}


class Attack:
    """Makes a folder when a pickle of it is read by the usual means."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path):
    folder = tmp_path / "made_by_the_attack"
    for content in (Attack(folder), {"w": Attack(folder)}, {"state_dict": {"w": Attack(folder)}}):
        program, _ = pickled(content)
        text = refused(
            zipped(tmp_path / "evil.pth", program), f"holds '{os.mkdir.__module__}.mkdir'"
        )
        assert "Nothing of the file was run" in text and "FloatStorage" in text
        assert not folder.exists()
    pickle.loads(program)
    assert folder.exists()


@pytest.mark.parametrize(
    "name", ["builtins eval", "os system", "torch load", "torch._utils _rebuild_tensor", "a b\x1b["]
)
def test_any_other_name_is_refused_by_name(tmp_path, name):
    program = b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\n."
    shown = repr(name.replace(" ", "."))
    text = refused(
        zipped(tmp_path / "some.pth", program), "which is none of collections.OrderedDict"
    )
    assert f"holds {shown}," in text


@pytest.mark.parametrize(
    ("instruction", "program"),
    [
        ("STACK_GLOBAL", b"\x80\x02X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93."),
        ("INST", b"\x80\x02(ios\nsystem\n."),
        ("OBJ", b"\x80\x02(}o."),
        ("NEWOBJ", b"\x80\x02}}\x81."),
        ("EXT1", b"\x80\x02\x82\x01."),
        ("PERSID", b"\x80\x02Pname\n."),
        ("DUP", b"\x80\x02}2."),
        ("BYTEARRAY8", b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00x."),
    ],
)
def test_any_other_instruction_is_refused_by_name(tmp_path, instruction, program):
    refused(zipped(tmp_path / "some.pth", program), f"has the instruction {instruction},")


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02}",
        b"\x80\x02}\x86.",
        b"\x80\x02}s.",
        b"\x80\x02}u.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02)K\x01K\x02s.",
        b"\x80\x02}a.",
        b"\x80\x02h\x07.",
        b"\x80\x02})R.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02)Q.",
        b"\x80\x02X\xff\xff\xff\xff.",
    ],
)
def test_programs_that_make_no_sense_are_said_to_be_damaged(tmp_path, program):
    refused(zipped(tmp_path / "some.pth", program), "cannot be read as torch's file of weights")


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((7,), (1,), 0),
        ((3,), (1,), 4),
        ((2, 2), (5, 1), 0),
        ((2, 2), (1, 1 << 62), 0),
        ((1 << 40, 1 << 40), (0, 0), 0),
        ((7,), (0,), 0),
        ((-1,), (1,), 0),
        ((2,), (-1,), 3),
        ((2,), (1,), -1),
        ((2,), (True,), 0),
    ],
)
def test_tensors_stay_in_their_storage(tmp_path, size, stride, offset):
    view = Tensor(Storage(np.arange(6)), size, stride, offset)
    refused(saved(tmp_path / "some.pth", state_dict(w=view)), r"has a tensor (of|whose) offset")


@pytest.mark.parametrize("kind", ["IntStorage", "ByteStorage"])
def test_other_kinds_of_numbers_are_refused_by_name(tmp_path, kind):
    path = saved(tmp_path / "some.pth", state_dict(w=Tensor(Storage([1, 2], kind))))
    refused(path, f"holds 'torch.{kind}', which is none of .*torch.FloatStorage.*{WHAT_TO_DO}")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"epoch": 3}, "holds 3 as 'epoch', which is no tensor"),
        ({"w": [1.0]}, "holds list as 'w', which is no tensor"),
        ({"state_dict": {"w": "x"}}, "holds 'x' as 'w', which is no tensor"),
        ([1, 2], "holds list in place of tensors by name"),
        ({}, "holds dict in place of tensors by name"),
        ({(1, 2): 3}, "has a key that is no name: tuple"),
        ({"w": OrderedDict}, "holds 'collections.OrderedDict' as 'w'"),
    ],
)
def test_anything_but_tensors_by_name_is_refused(tmp_path, content, match):
    refused(saved(tmp_path / "some.pth", content), f"{match}.*{WHAT_TO_DO}")


def test_what_torch_does_not_write_is_refused(tmp_path):
    program, storages = pickled(state_dict(w=tensor([1.0, 2.0])))
    path = tmp_path / "some.pth"
    refused(zipped(path, program, storages, order=b"big"), "byte order b'big', not b'little'")
    refused(zipped(path, program, storages, how=zipfile.ZIP_DEFLATED), "has a compressed entry")
    short = [SimpleNamespace(values=storages[0].values[:1])]
    refused(zipped(path, program, short), "has a storage 0 of 4 bytes, not 2 x float32")
    refused(zipped(path, program, []), "cannot be read .*some/data/0")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", program)
        archive.writestr("b/data.pkl", program)
    refused(path, r"is a zip with 2 entries \*/data.pkl")


def test_the_old_format_is_refused_with_how_to_convert_it(tmp_path):
    path = tmp_path / "vgg.pth"
    # Its first pickle is a number by which torch knows the format.
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2))
    text = refused(path, "before its version 1.6")
    assert "torch.save(torch.load('vgg.pth', weights_only=True), 'new_vgg.pth')" in text


@pytest.mark.parametrize("kept", [0, 1, 40, 0.5, 0.9, -1])
def test_a_download_cut_short_is_said_to_be_one(tmp_path, kept):
    path = saved(tmp_path / "some.pth", state_dict(w=tensor(np.ones(500))))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    refused(path, "was its download cut short")


def test_a_damaged_number_is_noticed(tmp_path):
    path = saved(tmp_path / "some.pth", state_dict(w=tensor(np.ones(500))))
    data = bytearray(path.read_bytes())
    data[data.index(np.ones(500, np.float32).tobytes()) + 999] ^= 1
    path.write_bytes(data)
    refused(path, "CRC")


@settings(
    deadline=None, max_examples=300, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.data())
def test_a_damaged_program_is_read_or_refused_and_nothing_else(tmp_path, data):
    views = {"w": tensor(np.ones((2, 3))), "p": Parameter(tensor([4], "LongStorage"))}
    program, storages = pickled(state_dict(**views))
    damaged = bytearray(program)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(program) - 1))] = data.draw(st.integers(0, 255))
    path = zipped(tmp_path / "some.pth", bytes(damaged), storages)
    try:
        found = read_state_dict(path)
    except InputError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())
