"""Folders of Hugging Face's package, on a tiny data set that the test writes."""

import io
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxclr.data.hugging_face import HuggingFace
from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.source import Images

CLASSES = ("cat", "dog", "emu")
SPLITS = {"train": 6, "test": 3}


def photo(split: str, number: int) -> np.ndarray:
    return np.random.default_rng([number, *split.encode()]).integers(0, 256, (5, 6, 3), np.uint8)


def png(split: str, number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo(split, number)).save(buffer, "PNG")
    return buffer.getvalue()


def animal(number: int) -> int:
    return -1 if number == 3 else number % 3


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package, whose cache is the test's."""
    package = pytest.importorskip("datasets")
    monkeypatch.setattr(package.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    package.disable_progress_bars()
    return package


def made(package, split: str):
    """One split: the fourth image has no label."""
    numbers = range(SPLITS[split])
    columns = {
        "photo": [{"bytes": png(split, i), "path": None} for i in numbers],
        "animal": [None if i == 3 else i % 3 for i in numbers],
        "spot": ["ink" if i % 2 else "oil" for i in numbers],
        "train": [i < 2 for i in numbers],
    }
    features = package.Features(
        {
            "photo": package.Image(),
            "animal": package.ClassLabel(names=list(CLASSES)),
            "spot": package.Value("string"),
            "train": package.Value("bool"),
        }
    )
    return package.Dataset.from_dict(columns, features=features)


def write(package, root: Path, form: str, leave: str = "") -> str:
    """Writes both splits in one of the forms, maybe without a column."""
    splits = {name: made(package, name) for name in SPLITS}
    if leave:
        splits = {name: split.remove_columns(leave) for name, split in splits.items()}
    if form == "parquet":
        (root / "data").mkdir(parents=True)
        for name, split in splits.items():
            split.to_parquet(root / "data" / f"{name}-00000-of-00001.parquet")
    else:
        package.DatasetDict(splits).save_to_disk(root)
    return str(root)


def seen(domains) -> dict[tuple[str, bytes], tuple[int, bool]]:
    return {
        (domain.name, image.tobytes()): (int(label), bool(train))
        for domain in domains
        for image, label, train in zip(domain.images, domain.label, domain.train, strict=True)
    }


def expected(domain, train, splits=SPLITS) -> dict[tuple[str, bytes], tuple[int, bool]]:
    return {
        (domain(split, i), photo(split, i).tobytes()): (animal(i), train(split, i))
        for split, count in splits.items()
        for i in range(count)
    }


@pytest.mark.parametrize("form", ["saved", "parquet"])
def test_splits_are_domains_and_train_is_a_column(package, tmp_path, form):
    collection = HuggingFace(root=write(package, tmp_path / "zoo", form)).load()
    assert collection.classes == CLASSES
    assert [domain.name for domain in collection.domains] == ["test", "train"]
    assert seen(collection.domains) == expected(lambda s, _: s, lambda s, i: i < 2)
    images = collection.domains[1].images
    assert isinstance(images, Images) and len(pickle.dumps(images)) < 1500
    again = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(again[5], photo("train", 5))


@pytest.mark.parametrize("form", ["saved", "parquet"])
def test_a_column_may_tell_the_domain_and_a_split_what_is_trained_on(package, tmp_path, form):
    root = write(package, tmp_path / "zoo", form, leave="train")
    domains = HuggingFace(root=root, domain="spot").load().domains
    where = expected(lambda s, i: "ink" if i % 2 else "oil", lambda s, i: s == "train")
    assert seen(domains) == where


def test_one_data_set_without_splits_is_read_by_a_column(package, tmp_path):
    made(package, "train").save_to_disk(tmp_path / "zoo")
    domains = HuggingFace(root=str(tmp_path / "zoo"), domain="spot").load().domains
    only = {"train": SPLITS["train"]}
    assert seen(domains) == expected(
        lambda s, i: "ink" if i % 2 else "oil", lambda s, i: i < 2, only
    )


def test_an_image_that_cannot_be_decoded_is_reported_when_it_is_read(package, tmp_path):
    images = [{"bytes": data, "path": None} for data in (png("train", 0), b"broken")] * 2
    images[3] = None
    columns = {"image": images, "label": ["a", "b", "b", "a"], "domain": ["x", "x", "y", "y"]}
    features = {name: package.Value("string") for name in ("label", "domain")}
    features = package.Features({"image": package.Image(), **features})
    package.Dataset.from_dict(columns, features=features).save_to_disk(tmp_path / "zoo")
    card = HuggingFace(root=str(tmp_path / "zoo"), domain="domain", label="label")
    x, y = card.load().domains
    assert (x.label.tolist(), y.label.tolist()) == ([0, 1], [1, 0])
    np.testing.assert_array_equal(x.images[0], photo("train", 0))
    with pytest.raises(JaxclrError, match=r"image 1 of 'all' cannot be decoded: it begins with"):
        x.images[1]
    with pytest.raises(JaxclrError, match=r"image 3 of 'all' cannot be decoded: the file is empty"):
        y.images[1]


def test_what_is_written_anew_is_read_anew(package, tmp_path):
    root = write(package, tmp_path / "zoo", "saved")
    HuggingFace(root=root).load()
    write(package, tmp_path / "other", "saved", leave="train")
    (tmp_path / "zoo").rename(tmp_path / "old")
    (tmp_path / "other").rename(tmp_path / "zoo")
    assert all(domain.train.all() for domain in HuggingFace(root=root).load().domains)


def test_what_does_not_fit_is_reported(package, tmp_path):
    root = write(package, tmp_path / "zoo", "saved")
    with pytest.raises(InputError, match="no column 'animals' for the label"):
        HuggingFace(root=root, label="animals").load()
    (tmp_path / "zoo/train/state.json").write_text("[")
    with pytest.raises(InputError, match="the package datasets cannot open it"):
        HuggingFace(root=root).load()


def test_a_folder_without_a_data_set_is_reported(package, tmp_path):
    with pytest.raises(InputError, match=r"--dataset\.root"):
        HuggingFace().load()
    with pytest.raises(InputError, match=r"gone \(not there\): a folder was expected"):
        HuggingFace(root=str(tmp_path / "gone")).load()
    with pytest.raises(InputError, match=r"\(no data set in it\): a folder was expected"):
        HuggingFace(root=str(tmp_path)).load()


def test_without_the_package_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"pip install 'jaxclr\[hf\]'"):
        HuggingFace(root=str(tmp_path)).load()
