import hashlib
import io
import json
import struct

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file
from torch_files import saved, state_dict, tensor

from jaxclr.errors import InputError
from jaxclr.models.weights import read_arrays, sha256

NUMBERS = {
    "layer1.0.conv1.weight": np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32),
    "half": np.arange(5).astype(np.float16),
    "count": np.array(3),
}


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_every_format_gives_back_the_arrays_that_were_written(tmp_path):
    np.savez(tmp_path / "a.npz", **NUMBERS)
    np.savez_compressed(tmp_path / "b.npz", **NUMBERS)
    save_file(NUMBERS | {"b": np.ones(3, jnp.bfloat16)}, tmp_path / "a.safetensors")
    kinds = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage"}
    tensors = {name: tensor(x, kinds[str(x.dtype)]) for name, x in NUMBERS.items()}
    saved(tmp_path / "a.pth", state_dict(**tensors))
    saved(tmp_path / "a.pt", state_dict(**tensors))
    for name in ("a.npz", "b.npz", "a.pth", "a.pt"):
        same(read_arrays(tmp_path / name), NUMBERS)
        same(read_arrays(str(tmp_path / name)), NUMBERS)
    same(read_arrays(tmp_path / "a.safetensors"), NUMBERS | {"b": np.ones(3, jnp.bfloat16)})


class Attack:
    def __reduce__(self):
        return pytest.fail, ("the file's code was run",)


def test_objects_in_an_npz_are_refused_and_not_run(tmp_path):
    np.savez(tmp_path / "a.npz", fine=np.ones(2), evil=np.array([Attack()], object))
    with pytest.raises(InputError, match=r"a\.npz: cannot be read .*or does it hold objects"):
        read_arrays(tmp_path / "a.npz")


def test_anything_but_numbers_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", names=np.array(["x", "y"]))
    with pytest.raises(InputError, match=r"names is of type <U1; only numbers are allowed"):
        read_arrays(tmp_path / "a.npz")


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


def header(**entry) -> bytes:
    text = json.dumps({"w": entry}).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", b""),
        ("a.npz", b"no zip at all"),
        ("a.npz", npy()),
        ("a.safetensors", b""),
        ("a.safetensors", b"\xff" * 99),
        ("a.safetensors", header(dtype="F32", shape=[9], data_offsets=[0, 36])),
        ("a.safetensors", header(dtype="F32", shape=[1 << 40], data_offsets=[0, 4]) + bytes(4)),
        ("a.safetensors", header(dtype="F99", shape=[1], data_offsets=[0, 4]) + bytes(4)),
        ("a.pth", b"no zip at all"),
    ],
)
def test_what_is_no_such_file_is_said_to_be_none(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as .*was its download cut short"):
        read_arrays(path)


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_a_download_cut_short_is_noticed(tmp_path, name):
    arrays = {"w": np.arange(500.0)}
    np.savez(tmp_path / "a.npz", **arrays)
    save_file(arrays, tmp_path / "a.safetensors")
    data = (tmp_path / name).read_bytes()
    for part in (0.1, 0.5, 0.99):
        (tmp_path / name).write_bytes(data[: int(part * len(data))])
        with pytest.raises(InputError, match="was its download cut short"):
            read_arrays(tmp_path / name)


def test_files_that_are_not_there_or_of_other_formats_are_said_to_be_so(tmp_path):
    for path in (tmp_path / "gone.pth", tmp_path):
        for call in (read_arrays, sha256):
            with pytest.raises(InputError, match=f"{path}: cannot be read"):
                call(path)
    (tmp_path / "a.ckpt").touch()
    match = r"a\.ckpt: its suffix .*Allowed: \.npz, \.safetensors, \.pth, \.pt\."
    with pytest.raises(InputError, match=match):
        read_arrays(tmp_path / "a.ckpt")


def test_the_checksum_is_that_of_the_bytes(tmp_path):
    # The standard's own example.
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    data = np.random.default_rng(0).bytes(1 << 20)
    (tmp_path / "long").write_bytes(data)
    assert sha256(str(tmp_path / "long")) == hashlib.sha256(data).hexdigest()
