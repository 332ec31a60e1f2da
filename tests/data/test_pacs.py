import itertools
import logging
from pathlib import Path

import pytest
from PIL import Image

from jaxclr.data.pacs import Pacs
from jaxclr.errors import InputError

UNREADABLE = "sketch/dog/n02103406_4068-1.png"
FOLDS = {"train": [0, 1, 2], "crossval": [3], "test": [0, 1, 2, 3]}


def fill(root: Path, images: str = "", splits: str = "") -> str:
    """PACS in small: four images per class and domain, and the sketch that is broken."""
    for domain, folder in itertools.product(Pacs.domains, Pacs.classes):
        (root / images / domain / folder).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (4, 4)).save(root / images / domain / folder / f"{number}.jpg")
    (root / images / UNREADABLE).write_bytes(b"broken")
    if splits:
        (root / splits).mkdir()
    for domain, (fold, numbers) in itertools.product(Pacs.domains if splits else (), FOLDS.items()):
        suffix = "png" if domain == "sketch" else "jpg"
        lines = [
            f"{domain}/{folder}/{number}.{suffix} {label}"
            for label, folder in enumerate(Pacs.classes, 1)
            for number in numbers
        ]
        lines += [f"{UNREADABLE} 1"] if domain == "sketch" and fold != "crossval" else []
        (root / splits / f"{domain}_{fold}_kfold.txt").write_text("\n".join(lines) + "\n")
    return str(root)


@pytest.mark.parametrize(("images", "splits"), [("images", "splits"), ("", "splits_kfold")])
def test_both_published_layouts_are_read(tmp_path, images, splits):
    collection = Pacs(root=fill(tmp_path, images, splits)).load()
    assert collection.classes == Pacs.classes
    assert [domain.name for domain in collection.domains] == list(Pacs.domains)
    for domain in collection.domains:
        assert domain.label.tolist() == [label for label in range(7) for _ in range(4)]
        assert domain.train.tolist() == [True, True, True, False] * 7


def test_the_broken_sketch_is_left_out_without_being_asked(tmp_path):
    for domain in Pacs(root=fill(tmp_path)).load().domains:
        assert UNREADABLE not in domain.paths and len(domain.paths) == 28
        assert domain.train.all() and len(list(domain.images)) == 28


def test_an_unexpected_number_of_images_is_told(tmp_path, caplog):
    Pacs(root=fill(tmp_path)).load()
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "sketch: 28 images are here, 3928 were published" in told


def test_a_missing_domain_is_named(tmp_path):
    root = fill(tmp_path)
    (tmp_path / "photo").rename(tmp_path / "photos")
    with pytest.raises(InputError, match=r"no images of photo, .*PACS\.zip"):
        Pacs(root=root).load()


def test_a_folder_that_is_no_class_is_named(tmp_path):
    root = fill(tmp_path)
    (tmp_path / "photo" / "dog").rename(tmp_path / "photo" / "dogs")
    with pytest.raises(InputError, match=r"no class 'dogs'.*Did you mean 'dog'"):
        Pacs(root=root).load()


def test_the_numbers_of_the_card_are_those_of_the_paper():
    assert sum(Pacs.counts.values()) == 9991 - 1
    assert tuple(Pacs.counts) == Pacs.domains and sorted(Pacs.classes) == list(Pacs.classes)


def test_without_images_the_message_says_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"datasets/pacs.*images/<domain>.*Li et al\., 2017"):
        Pacs().load()
