from pathlib import Path

import pytest
from PIL import Image

from jaxclr.data.folder import Folder
from jaxclr.errors import InputError


def fill(root: Path, names: list[str]) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(root / name)
    return str(root)


def test_own_folders_are_domains_and_classes(tmp_path):
    names = ["b/y/1.jpg", "b/x/1.JPEG", "a/x/2.png", "a/z/1.jpg"]
    a, b = (collection := Folder(root=fill(tmp_path, names)).load()).domains
    assert collection.classes == ("x", "y", "z")
    assert a.paths == ("a/x/2.png", "a/z/1.jpg") and a.label.tolist() == [0, 2]
    assert b.paths == ("b/x/1.JPEG", "b/y/1.jpg") and b.label.tolist() == [0, 1]
    assert a.images[0].shape == (3, 4, 3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/x/1.jpg", "a/y/1.jpg"], "at least two domains.*'a' is the only one"),
        (["a/x/1.jpg", "b/x/1.jpg"], "at least two classes.*'x' is the only one"),
        (["x/1.jpg", "y/1.jpg"], "No images of 'folder'.*<domain>/<class>"),
    ],
)
def test_too_little_to_generalize_from_is_reported(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        Folder(root=fill(tmp_path, names)).load()


def test_without_a_root_the_message_says_how_to_give_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXCLR_DATA", raising=False)
    with pytest.raises(InputError, match=r"datasets/folder .*--dataset\.root"):
        Folder().load()
