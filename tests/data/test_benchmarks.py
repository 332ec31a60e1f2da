"""The cards of benchmarks, on small trees laid out like the published ones."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from jaxclr.catalog import card, names
from jaxclr.data.digits_dg import DigitsDg
from jaxclr.data.office_home import OfficeHome
from jaxclr.data.pacs import Pacs
from jaxclr.data.terra_incognita import TerraIncognita
from jaxclr.data.vlcs import Vlcs
from jaxclr.errors import InputError
from jaxclr.pipeline.benchmark import Benchmark

ROOT = Path(__file__).parents[2]
CARDS = [kind for kind in map(card, names()) if issubclass(kind, Benchmark)]


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "JPEG")
    return buffer.getvalue()


def fill(root: Path, paths) -> str:
    """Writes the same image wherever one is expected."""
    content = jpeg()
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return str(root)


def seen(collection):
    """Of every domain and image: the class, and whether it is trained on."""
    return {
        domain.name: {
            path.split("/", 1)[1]: (collection.classes[label], bool(train))
            for path, label, train in zip(domain.paths, domain.label, domain.train, strict=True)
        }
        for domain in collection.domains
    }


@pytest.mark.parametrize("kind", CARDS)
def test_every_card_says_what_it_is_and_where_to_get_it(kind):
    for told in (kind.home, kind.file, kind.license, kind.citation, kind.layout, kind.how_to_get):
        assert len(told) > 5
    assert kind.home.startswith("http") and "http" in kind.citation
    assert kind.input_size == 224
    assert "How to get it:" in kind.__doc__ and "License:" in kind.__doc__
    assert kind().name in names()
    assert kind.lists.first_label in (0, 1)


@pytest.mark.parametrize("kind", CARDS)
def test_every_card_has_a_row_in_the_readme_with_its_numbers(kind):
    lines = (ROOT / "data" / "README.md").read_text().splitlines()
    (row,) = (line for line in lines if f"({kind().name}.py)" in line)
    total = kind.total or sum(kind.counts.values()) + len(kind.left_out)
    assert not total or f"{total:,}" in row
    assert kind.home in row
    for name in kind.domains:
        assert f"`{name}`" in row


@pytest.mark.parametrize("kind", CARDS)
def test_its_numbers_agree_with_each_other_and_with_its_text(kind):
    assert set(kind.counts) in ({*kind.domains}, set())
    for domain, counts in kind.counts_per_class.items():
        assert len(counts) == len(kind.classes) and sum(counts) == kind.counts[domain]
    total = kind.total or sum(kind.counts.values()) + len(kind.left_out)
    assert not total or f"{total:,}" in kind.__doc__
    # Labels are numbers of folders in order, as all codes of the field have it.
    assert list(kind.classes) == sorted(kind.classes)


@pytest.mark.parametrize(
    ("kind", "total", "classes", "labels"),
    [
        (Pacs, 9991, 7, {210, 105}),
        (OfficeHome, 15_588, 65, {1950, 975}),
        (DigitsDg, 24_000, 10, {300, 150}),
        (Vlcs, 10_729, 5, {150, 75}),
        (TerraIncognita, 24_788, 10, {300, 150}),
    ],
)
def test_the_numbers_are_those_of_the_protocol(kind, total, classes, labels):
    """Labels of a split: of every class in each of three sources."""
    assert total == (kind.total or sum(kind.counts.values()) + len(kind.left_out))
    assert len(kind.classes) == classes
    assert {3 * classes * count for count in kind.labels_per_class} == labels


@pytest.mark.parametrize("prefix", ["", "000_"])
def test_office_home_trains_on_the_folder_train_however_classes_are_numbered(tmp_path, prefix):
    files = [f"{fold}/{prefix}Alarm_Clock/1.jpg" for fold in ("train", "val")]
    files += [f"train/{prefix and '060_'}TV/1.jpg"]
    root = fill(tmp_path, [f"{domain}/{file}" for domain in OfficeHome.domains for file in files])
    collection = OfficeHome(root=root).load()
    assert collection.classes.index("TV") == 58 and len(collection.classes) == 65
    of_one = dict(
        zip(files, [("Alarm_Clock", True), ("Alarm_Clock", False), ("TV", True)], strict=True)
    )
    assert seen(collection) == dict.fromkeys(OfficeHome.domains, of_one)


@pytest.mark.parametrize("real", ["Real World", "Real_World", "RealWorld"])
def test_the_authors_own_copy_of_office_home_is_read_alike(tmp_path, real):
    fill(tmp_path, [f"{d}/Bed/00001.jpg" for d in ("Art", "Clipart", "Product", real)])
    of_one = {"Bed/00001.jpg": ("Bed", True)}
    collection = OfficeHome(root=str(tmp_path)).load()
    assert seen(collection) == dict.fromkeys(OfficeHome.domains, of_one)
    assert collection.domains[3].paths == ("real_world/Bed/00001.jpg",)
    assert collection.domains[3].images[0].shape == (4, 4, 3)


def test_two_copies_of_office_home_in_one_folder_are_reported(tmp_path):
    root = fill(tmp_path, ["art/Bed/1.jpg", "Art/Bed/1.jpg"])
    with pytest.raises(InputError, match=r"art/Bed/1\.jpg is there in two copies"):
        OfficeHome(root=root).load()


def test_the_folder_may_be_called_as_in_other_codes(tmp_path, monkeypatch):
    files = [f"{domain}/train/Bed/1.jpg" for domain in OfficeHome.domains]
    fill(tmp_path / "office_home_dg", files)
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path))
    assert len(OfficeHome().load().domains) == 4
    fill(tmp_path / "office_home", [f"{domain}/Mop/1.jpg" for domain in OfficeHome.domains])
    assert OfficeHome().load().domains[0].paths == ("art/Mop/1.jpg",)


def test_digits_dg_trains_on_the_folder_train(tmp_path):
    files = {"train/7/a.jpg": ("7", True), "val/7/b.jpg": ("7", False), "val/0/a.jpg": ("0", False)}
    root = fill(tmp_path, [f"{domain}/{file}" for domain in DigitsDg.domains for file in files])
    assert seen(DigitsDg(root=root).load()) == dict.fromkeys(DigitsDg.domains, files)


def test_vlcs_numbers_its_classes_and_a_folder_full_adds_nothing_twice(tmp_path):
    files = {
        "train/0/train_imgs_1.jpg": ("bird", True),
        "crossval/4/crossval_imgs_1.jpg": ("person", False),
        "test/3/test_imgs_1.jpg": ("dog", False),
    }
    copies = ["full/0/train_imgs_1.jpg", "full/4/crossval_imgs_1.jpg"]
    root = fill(tmp_path, [f"{domain}/{file}" for domain in Vlcs.domains for file in files])
    fill(tmp_path, [f"{domain}/{file}" for domain in Vlcs.domains for file in copies])
    assert seen(Vlcs(root=root).load()) == dict.fromkeys(Vlcs.domains, files)
    fill(tmp_path, ["SUN/full/2/other.jpg"])
    more = seen(Vlcs(root=root).load())
    assert more["SUN"] == {**files, "full/2/other.jpg": ("chair", False)}


def test_terra_incognita_trains_on_all_of_a_place(tmp_path):
    files = {"bobcat/1.jpg": ("bobcat", True), "empty/1.jpg": ("empty", True)}
    domains = TerraIncognita.domains
    with zipfile.ZipFile(tmp_path / "terra.zip", "w") as archive:
        for path in (f"terra_incognita/{domain}/{file}" for domain in domains for file in files):
            archive.writestr(path, jpeg())
    root = str(tmp_path / "terra.zip")
    assert seen(TerraIncognita(root=root).load()) == dict.fromkeys(domains, files)
    assert set(domains) == {f"location_{number}" for number in (38, 43, 46, 100)}
