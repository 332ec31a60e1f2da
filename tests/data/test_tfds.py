"""Any prepared data set, on a tiny one whose features have other names than usual."""

import io
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxclr.data.tfds import Tfds
from jaxclr.errors import InputError
from jaxclr.pipeline.source import Images
from jaxclr.pipeline.split import draw_split

CLASSES, PLACES = ("cat", "dog", "emu"), ("sea", "wood")
SPLITS = {"train": 12, "validation": 4}
F = tfds.features
PLAIN = {"photo": F.Image(), "animal": F.ClassLabel(names=CLASSES)}


def photo(split: str, number: int) -> np.ndarray:
    return np.random.default_rng([number, *split.encode()]).integers(0, 256, (5, 6, 3), np.uint8)


def cell(name: str, split: str, number: int) -> object:
    """What a record holds under a name; the fourth image of a split has no label."""
    if name == "photo":
        png = io.BytesIO()
        Image.fromarray(photo(split, number)).save(png, "PNG")
        return io.BytesIO(png.getvalue())
    return {
        "animal": -1 if number == 3 else number % 3,
        "kind": "" if number == 3 else CLASSES[number % 3],
        "place": number % 2,
        "camera": 38 + 5 * (number % 2),
        "spot": PLACES[number % 2],
        "train": number < 2,
        "path": f"{split}/{9 - number}.png",
        "box": np.zeros(2, np.float32),
    }[name]


def prepare(root: Path, name: str, features: dict, config: str | None = None) -> None:
    class Maker(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.2.3")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config)] if config else []

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=F.FeaturesDict(features))

        def _split_generators(self, _):
            return {split: self._generate_examples(split) for split in SPLITS}

        def _generate_examples(self, split):
            for number in range(SPLITS[split]):
                yield number, {feature: cell(feature, split, number) for feature in features}

    Maker.name = name
    tfds.disable_progress_bar()
    Maker(data_dir=root, file_format="array_record").download_and_prepare()


def seen(domains) -> dict[tuple[str, bytes], tuple[int, bool]]:
    """Label and flag of every image, by its domain and pixels."""
    return {
        (domain.name, image.tobytes()): (int(label), bool(train))
        for domain in domains
        for image, label, train in zip(domain.images, domain.label, domain.train, strict=True)
    }


def expected(domain, label, train) -> dict[tuple[str, bytes], tuple[int, bool]]:
    return {
        (domain(split, i), photo(split, i).tobytes()): (label(i), train(split, i))
        for split, count in SPLITS.items()
        for i in range(count)
    }


def animal(number: int) -> int:
    return -1 if number == 3 else number % 3


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A folder with one data set of many features; not to be written to."""
    folder = tmp_path_factory.mktemp("prepared")
    more = {
        "place": F.ClassLabel(names=PLACES), "camera": np.int32, "spot": F.Text(),
        "kind": F.Text(), "box": F.Tensor(shape=(2,), dtype=np.float32),
    }  # fmt: skip
    prepare(folder, "zoo", {**PLAIN, **more})
    return folder


def test_splits_are_domains_and_columns_are_found_by_what_they_hold(tmp_path, caplog):
    prepare(tmp_path, "zoo", PLAIN)
    collection = Tfds(builder="zoo", root=str(tmp_path)).load()
    assert collection.classes == CLASSES
    assert [domain.name for domain in collection.domains] == ["train", "validation"]
    assert seen(collection.domains) == expected(lambda s, _: s, animal, lambda s, i: True)
    first = collection.domains[0]
    assert first.paths[:2] == ("train/000000", "train/000001") and len(set(first.paths)) == 12
    assert isinstance(first.images, Images) and len(pickle.dumps(first.images)) < 1500
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("place", lambda i: PLACES[i % 2]),
        ("spot", lambda i: PLACES[i % 2]),
        ("camera", lambda i: ("38", "43")[i % 2]),
    ],
)
def test_a_column_may_tell_the_domain_and_a_split_what_is_trained_on(root, column, name):
    card = Tfds(builder="zoo", root=str(root), domain=column, label="animal")
    domains = card.load().domains
    assert seen(domains) == expected(lambda s, i: name(i), animal, lambda s, i: s == "train")
    split = draw_split(domains, CLASSES, labels_per_class=1, seed=0)
    for domain, labeled in zip(domains, split.labeled, strict=True):
        assert domain.train[labeled].all() and sorted(domain.label[labeled]) == [0, 1, 2]


def test_the_label_of_several_classes_is_the_one_that_is_no_domain(root):
    domains = Tfds(builder="zoo", root=str(root), domain="place").load().domains
    assert (
        seen(domains).keys()
        == expected(lambda s, i: PLACES[i % 2], animal, lambda s, i: True).keys()
    )
    with pytest.raises(InputError, match=r"2 columns could be the label\. Name one by --data"):
        Tfds(builder="zoo", root=str(root)).load()


@pytest.mark.parametrize(("label", "classes"), [("kind", CLASSES), ("camera", ("38", "43"))])
def test_text_and_numbers_may_be_labels_if_named(root, label, classes):
    collection = Tfds(builder="zoo", root=str(root), label=label).load()
    assert collection.classes == classes
    told = animal if label == "kind" else (lambda i: i % 2)
    assert seen(collection.domains) == expected(lambda s, _: s, told, lambda s, i: True)


def test_only_the_splits_asked_for_are_read(root):
    chosen = {"domain": "spot", "label": "animal", "splits": ("validation",)}
    domains = Tfds(builder="zoo", root=str(root), **chosen).load().domains
    assert [len(domain.paths) for domain in domains] == [2, 2]
    assert all(domain.train.all() for domain in domains)


def test_columns_called_train_and_path_are_heeded(tmp_path):
    prepare(tmp_path, "zoo", {**PLAIN, "path": F.Text(), "train": F.Scalar(dtype=np.bool_)})
    domains = Tfds(builder="zoo", root=str(tmp_path)).load().domains
    assert seen(domains) == expected(lambda s, _: s, animal, lambda s, i: i < 2)
    assert domains[1].paths == tuple(f"validation/{i}.png" for i in (6, 7, 8, 9))
    np.testing.assert_array_equal(domains[1].images[0], photo("validation", 3))


def test_a_config_is_named_after_the_builder(tmp_path):
    prepare(tmp_path, "zoo", PLAIN, config="small")
    assert len(Tfds(builder="zoo/small", root=str(tmp_path)).load().domains) == 2
    with pytest.raises(InputError, match=r"No images of 'tfds'\. Looked for zoo/large/<version>"):
        Tfds(builder="zoo/large", root=str(tmp_path)).load()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label": "animals"}, r"no column 'animals' for the label\. Did you mean 'animal'"),
        ({"label": "photo"}, "the column 'photo' for the label holds image, not class or number"),
        ({"image": "spot"}, "the column 'spot' for the image holds text, not image"),
        (
            {"label": "animal", "domain": "box"},
            "the column 'box' for the domain holds other, not class",
        ),
        ({"label": "animal", "splits": ("test",)}, r"no split 'test'\. .*Allowed: train, valid"),
        ({"label": "animal", "splits": ("train",)}, "at least two domains are needed; 'train' is"),
        ({"label": "animal", "domain": "kind"}, r"row \d+ of 'train': no kind; every image"),
    ],
)
def test_what_does_not_fit_is_reported(root, settings, message):
    with pytest.raises(InputError, match=message):
        Tfds(builder="zoo", root=str(root), **settings).load()


def test_absent_it_says_where_it_was_looked_for_and_how_to_prepare_it(tmp_path):
    with pytest.raises(InputError) as refusal:
        Tfds(builder="birds", root=str(tmp_path)).load()
    for part in (
        str(tmp_path), "birds/<version>", "tfds build birds --file_format=array_record",
        "python -m jaxclr.tfds_builders",
    ):  # fmt: skip
        assert part in str(refusal.value)
