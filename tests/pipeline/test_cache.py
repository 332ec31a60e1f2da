import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from things import NAMES, Things, fill, pixels, png, summary

from jaxclr.errors import JaxclrError
from jaxclr.pipeline import storage


def test_the_cache_holds_the_same_bytes_and_is_mapped(tmp_path):
    root = str(fill(tmp_path / "in"))
    plain, twice = Things(root=root), Things(root=root, cache=str(tmp_path / "cache"))
    assert summary(twice.load()) == summary(plain.load())
    images = twice.load().domains[1].images
    assert isinstance(images[0], np.memmap) and not images[0].flags.writeable


def test_a_second_start_decodes_nothing(tmp_path, monkeypatch):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    expected = summary(card.load())
    monkeypatch.setattr(storage, "decode", None)
    assert summary(card.load()) == expected


def test_a_changed_image_is_decoded_anew(tmp_path):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    card.load()
    (tmp_path / "in" / NAMES[0]).write_bytes(png("something else"))
    np.testing.assert_array_equal(card.load().domains[0].images[0], pixels("something else"))


def test_a_changed_image_of_the_same_size_is_decoded_anew(tmp_path):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    for value in (1, 2):
        Image.new("RGB", (5, 5), (value,) * 3).save(tmp_path / "in" / NAMES[0], "BMP")
        os.utime(tmp_path / "in" / NAMES[0], (value, value))
        assert (card.load().domains[0].images[0] == value).all()


@pytest.mark.parametrize("last", range(5))
def test_a_cache_whose_writing_was_interrupted_is_not_trusted(tmp_path, monkeypatch, last):
    """Stops at the ``last`` write, as if killed: nothing is cleaned up, nothing renamed."""
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    expected, decoded = summary(Things(root=card.root).load()), []

    def die_at_last(entry):
        if len(decoded) == last:
            raise KeyboardInterrupt
        decoded.append(entry)
        return storage.decode(entry)

    class OneThread:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def map(self, _, entries):
            return map(die_at_last, entries)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, "ThreadPoolExecutor", OneThread)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        card.load()
    assert list(tmp_path.glob("cache/**/*.tmp"))
    assert summary(card.load()) == expected


@pytest.mark.parametrize("kind", ["*.uint8", "*.npz"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_a_damaged_cache_is_made_again(tmp_path, kind, damage):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    expected = summary(card.load())
    for path in (tmp_path / "cache").rglob(kind):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
        if damage == "gone":
            path.unlink()
    assert summary(card.load()) == expected


def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "file" / "cache"))
    with pytest.raises(JaxclrError, match=r"cannot be written.*--dataset\.cache") as caught:
        card.load()
    assert caught.value.exit_code == 1


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(JaxclrError, match="No space left on device"):
        card.load()
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_writers_at_once_do_no_harm(tmp_path):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    expected = summary(Things(root=card.root).load())
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: summary(card.load()), range(8))) == [expected] * 8
