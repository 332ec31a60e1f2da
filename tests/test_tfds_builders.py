"""Our cards become data sets of TensorFlow Datasets, and are read back the same."""

import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxclr.data.folder import Folder
from jaxclr.data.manifest import Manifest
from jaxclr.data.pacs import Pacs
from jaxclr.data.tfds import Tfds
from jaxclr.errors import InputError
from jaxclr.pipeline.source import Collection
from jaxclr.pipeline.split import draw_split
from jaxclr.tfds_builders import BENCHMARKS, ImagesBuilder, main, prepare


class Hiding:
    """A finder of modules to which TensorFlow is not installed, even where it is."""

    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, *where):
        hidden = name.partition(".")[0] == "tensorflow"
        return None if hidden else self._finder.find_spec(name, *where)


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [Hiding(finder) for finder in sys.meta_path])
    yield
    assert "tensorflow" not in sys.modules


def picture(name: str) -> Image.Image:
    """Noise of other pixels, and another size, for every name."""
    rng = np.random.default_rng([*name.encode()])
    return Image.fromarray(rng.integers(0, 256, (*rng.integers(4, 9, 2), 3), np.uint8))


def pacs(root: Path, per_class: int = 4) -> str:
    """PACS in small, as PNG files; the last image of each class is not for training."""
    (root / "splits").mkdir(parents=True)
    for domain in Pacs.domains:
        lines: dict[str, list[str]] = {"train": [], "crossval": [], "test": []}
        for (label, folder), n in itertools.product(enumerate(Pacs.classes, 1), range(per_class)):
            name = f"{domain}/{folder}/{n}.png"
            (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
            picture(name).save(root / "images" / name)
            for fold in ("crossval" if n == per_class - 1 else "train", "test"):
                lines[fold].append(f"{name} {label}\n")
        for fold, written in lines.items():
            (root / "splits" / f"{domain}_{fold}_kfold.txt").write_text("".join(written))
    return str(root)


def told(collection: Collection):
    return collection.classes, [
        (d.name, d.paths, d.label.tolist(), d.train.tolist(), [i.tobytes() for i in d.images])
        for d in collection.domains
    ]


def test_a_benchmark_is_read_back_with_equal_pixels_labels_folds_and_names(tmp_path, capsys):
    root, data = pacs(tmp_path / "pacs"), str(tmp_path / "tfds")
    assert main(["pacs", "--root", root, "--data-dir", data]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "tfds/pacs/1.0.0")
    found, card = Tfds(builder="pacs", root=data).load(), Pacs(root=root).load()
    assert told(found) == told(card)
    assert found.domains[0].train.tolist() == [True, True, True, False] * 7
    for one, other in zip(found.domains, card.domains, strict=True):
        drawn = [draw_split([d], Pacs.classes, labels_per_class=2, seed=1) for d in (one, other)]
        np.testing.assert_array_equal(drawn[0].labeled[0], drawn[1].labeled[0])


def test_images_without_a_label_and_jpegs_are_prepared_as_they_are(tmp_path):
    lines = ["path,label,domain"]
    for number, label in enumerate(("cat", "", "dog", "cat")):
        picture(str(number)).save(tmp_path / f"{number}.jpg")
        lines.append(f"{number}.jpg,{label},{'ab'[number % 2]}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    card = Manifest(path=str(tmp_path / "list.csv"))
    folder = prepare(card, str(tmp_path / "tfds"))
    found = Tfds(builder="manifest", root=folder).load()
    assert told(found) == told(card.load())
    assert [domain.label.tolist() for domain in found.domains] == [[0, 1], [-1, 0]]


def test_a_cache_of_decoded_images_is_not_what_is_prepared(tmp_path):
    root = pacs(tmp_path / "pacs", per_class=2)
    card = Pacs(root=root, cache=str(tmp_path / "cache"))
    builder = ImagesBuilder(card, data_dir=str(tmp_path / "tfds"))
    assert builder.card == dataclasses.replace(card, cache=None)
    assert set(builder.info.features) == {"image", "label", "path", "train"}
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["real world", "a-b"])
def test_a_domain_that_cannot_be_a_split_is_reported(tmp_path, name):
    for domain, folder in itertools.product((name, "art"), ("cat", "dog")):
        (tmp_path / domain / folder).mkdir(parents=True)
        picture(domain).save(tmp_path / domain / folder / "1.png")
    with pytest.raises(InputError, match=f"'{name}' cannot be the name of a split"):
        prepare(Folder(root=str(tmp_path)), str(tmp_path / "tfds"))


def test_the_benchmarks_go_by_the_names_of_their_cards_which_are_new_to_the_library():
    assert all(card().name == name for name, card in BENCHMARKS.items())
    assert not set(BENCHMARKS) & set(tfds.list_builders(with_community_datasets=False))


def test_images_that_are_not_there_are_told_by_the_command(tmp_path, capsys):
    assert main(["pacs", "--root", str(tmp_path), "--data-dir", str(tmp_path / "tfds")]) == 2
    assert "error: No images of 'pacs'" in capsys.readouterr().err
    assert not (tmp_path / "tfds").exists()
