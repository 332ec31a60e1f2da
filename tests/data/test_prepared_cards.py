"""The cards of data sets that TensorFlow Datasets prepares, on three images of each class."""

import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from prepare import prepare, prepared, read

from jaxclr.data.cifar10 import Cifar10
from jaxclr.data.cifar100 import Cifar100
from jaxclr.data.stl10 import Stl10
from jaxclr.data.svhn import Svhn
from jaxclr.errors import InputError
from jaxclr.pipeline.split import draw_split

CARDS = (Cifar10, Cifar100, Svhn, Stl10)
# What TensorFlow Datasets calls them, and their splits.
NAMES = {Cifar10: "cifar10", Cifar100: "cifar100", Svhn: "svhn_cropped", Stl10: "stl10"}
SPLITS = {Svhn: ("train", "test", "extra"), Stl10: ("train", "test", "unlabelled")}


def small(root: Path, card, monkeypatch) -> dict[str, list[int]]:
    """Prepares three images of each class in every split; returns their labels."""
    labels = {
        split: [-1] * 4 if split == "unlabelled" else list(range(len(card.classes))) * 3
        for split in SPLITS.get(card, ("train", "test"))
    }
    prepare(root, NAMES[card], card.classes, labels, size=card.image_size)
    counts = {split: len(values) for split, values in labels.items()}
    monkeypatch.setattr(card, "counts", MappingProxyType(counts))
    return labels


@pytest.mark.parametrize("card", CARDS)
def test_it_is_read_as_it_was_prepared(tmp_path, monkeypatch, caplog, card):
    labels = small(tmp_path, card, monkeypatch)
    collection = card(root=str(tmp_path)).load()
    assert collection.classes == card.classes
    assert [domain.name for domain in collection.domains] == ["train", "test"]
    train, test = collection.domains
    known = prepared(labels, "train", size=card.image_size)
    assert [pair for pair in read(train) if pair[1] >= 0] == known
    assert read(test) == prepared(labels, "test", size=card.image_size)
    assert train.train.all() and train.images[0].shape == (card.image_size, card.image_size, 3)
    assert not [r for r in caplog.records if r.name.startswith("jaxclr")]


@pytest.mark.parametrize("card", CARDS)
def test_labels_are_drawn_of_its_one_source_domain(tmp_path, monkeypatch, card):
    small(tmp_path, card, monkeypatch)
    train, _ = card(root=str(tmp_path)).load().domains
    split = draw_split([train], card.classes, labels_per_class=2, seed=1)
    counts = np.bincount(train.label[split.labeled[0]], minlength=len(card.classes))
    assert (counts == 2).all()


def test_stl10_is_trained_on_images_without_a_label_too(tmp_path, monkeypatch):
    labels = small(tmp_path, Stl10, monkeypatch)
    train, test = Stl10(root=str(tmp_path)).load().domains
    assert (train.label == -1).sum() == 4 and len(train.paths) == 34
    assert read(train) == prepared(labels, "train", "unlabelled", size=96)
    assert (test.label >= 0).all()


def test_svhn_is_trained_on_its_extra_images_if_asked(tmp_path, monkeypatch):
    labels = small(tmp_path, Svhn, monkeypatch)
    train, test = Svhn(root=str(tmp_path), extra=True).load().domains
    assert read(train) == prepared(labels, "train", "extra", size=32)
    assert read(test) == prepared(labels, "test", size=32)
    assert list(train.paths) == sorted(train.paths)


@pytest.mark.parametrize("card", CARDS)
def test_absent_it_says_how_to_get_it(tmp_path, monkeypatch, card):
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError) as refusal:
        card().load()
    for part in (
        f"No images of '{card.__name__.lower()}'", str(tmp_path), card.home,
        f"tfds build {NAMES[card]} --file_format=array_record",
    ):  # fmt: skip
        assert part in str(refusal.value)
    assert f"tfds build {NAMES[card]} --file_format=array_record" in card.__doc__


@pytest.mark.parametrize(
    ("card", "train", "test", "classes", "size"),
    [
        (Cifar10, 50_000, 10_000, 10, 32),
        (Cifar100, 50_000, 10_000, 100, 32),
        (Svhn, 73_257, 26_032, 10, 32),
        (Stl10, 5_000 + 100_000, 8_000, 10, 96),
    ],
)
def test_its_numbers_are_the_published_ones_and_its_text_tells_them(
    card, train, test, classes, size
):
    sums = {
        domain: sum(card.counts[split] for split in splits)
        for domain, splits in card().splits.items()
    }
    assert sums == {"train": train, "test": test}
    assert len(set(card.classes)) == classes and card.image_size == size
    for number in (train, test, train + test):
        assert f"{number:,}" in card.__doc__
    assert f"({size} x {size}) of {classes}" in card.__doc__


@pytest.mark.parametrize("card", [Cifar10, Cifar100, Svhn, Stl10])
def test_classes_are_in_the_order_of_their_names(card):
    assert list(card.classes) == sorted(card.classes)


@pytest.mark.parametrize("card", CARDS)
def test_its_row_in_the_readme_has_its_numbers_and_its_page(card):
    lines = (Path(__file__).parents[2] / "data" / "README.md").read_text().splitlines()
    (row,) = (line for line in lines if f"({card.__name__.lower()}.py)" in line)
    train, test = (sum(card.counts[s] for s in splits) for splits in card().splits.values())
    for part in (
        card.home, f"{card.image_size} px",
        f"`tfds build {NAMES[card]} --file_format=array_record`",
        f"{train + test:,}", f"{train:,} `train`", f"{test:,} `test`",
    ):  # fmt: skip
        assert part in row


def test_a_card_alone_does_not_wait_for_tensorflow_datasets():
    code = (
        "import sys; from jaxclr.data.stl10 import Stl10; Stl10(); "
        "assert 'tensorflow_datasets' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
