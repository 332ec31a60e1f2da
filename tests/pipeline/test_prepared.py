import dataclasses
import logging
import multiprocessing
import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from prepare import pixels, prepare, prepared, read

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.prepared import Prepared
from jaxclr.pipeline.source import Images
from jaxclr.pipeline.split import draw_split

CLASSES = ("cat", "dog", "emu")
LABELS = {"train": [0, 1, 2, 0, 1, 2, 2], "test": [2, 1, 0], "others": [-1] * 5}


@dataclasses.dataclass(frozen=True)
class Beasts(Prepared):
    builder = "beasts"
    classes = CLASSES
    counts = MappingProxyType({"train": 7, "test": 3, "others": 5})
    unlabeled = frozenset({"others"})
    image_size = 8
    home = "https://beasts.example"

    @property
    def splits(self):
        return {"train": ("others", "train"), "test": ("test",)}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A folder that the beasts are prepared in; not to be written to."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, "beasts", CLASSES, LABELS, shards=2)
    return folder


def spoilt(root: Path, file: str, before: str, after: str) -> None:
    """Changes some text of a file of all versions."""
    for path in root.glob(f"*/*/{file}"):
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))


def test_every_image_is_read_with_its_pixels_and_label(root):
    train, test = (collection := Beasts(root=str(root)).load()).domains
    assert collection.classes == CLASSES
    assert (train.name, test.name) == ("train", "test")
    assert read(train) == prepared(LABELS, "train", "others")
    assert read(test) == prepared(LABELS, "test")
    for domain in (train, test):
        assert isinstance(domain.images, Images) and len(domain.images) == len(domain.paths)
        assert domain.label.dtype == np.int32 and domain.train.all()
        assert domain.images[0].shape == (8, 8, 3) and domain.images[0].dtype == np.uint8


def test_splits_lie_one_after_the_other_in_the_order_of_their_paths(root):
    train, test = Beasts(root=str(root)).load().domains
    assert list(train.paths) == sorted(set(train.paths))
    assert train.paths[4:6] == ("train/others/000004", "train/train/000000")
    assert (train.label[:5] == -1).all() and (train.label[5:] >= 0).all()
    assert test.paths == ("test/test/000000", "test/test/000001", "test/test/000002")


def test_images_without_a_label_are_never_drawn_and_always_unlabeled(root):
    train, _ = Beasts(root=str(root)).load().domains
    split = draw_split([train], CLASSES, labels_per_class=2, seed=0)
    assert sorted(train.label[split.labeled[0]]) == [0, 0, 1, 1, 2, 2]
    assert set(range(5)) < set(split.unlabeled[0]) and len(split.unlabeled[0]) == 6


@pytest.mark.parametrize("index", [-1, 12, 99])
def test_there_is_no_image_before_the_first_or_after_the_last(root, index):
    images = Beasts(root=str(root)).load().domains[0].images
    with pytest.raises(IndexError):
        images[index]


@pytest.mark.parametrize("part", ["", "beasts", "beasts/3.0.2"])
def test_the_root_may_be_all_data_sets_this_one_or_its_version(root, part):
    test = Beasts(root=str(root / part)).load().domains[1]
    assert read(test) == prepared(LABELS, "test")


def test_it_is_looked_for_where_others_are(tmp_path, monkeypatch):
    places = {"JAXCLR_DATA": tmp_path / "a", "TFDS_DATA_DIR": tmp_path / "b", "HOME": tmp_path}
    for number, (variable, place) in enumerate(reversed(places.items()), 1):
        folder = place / "tensorflow_datasets" if variable == "HOME" else place
        labels = LABELS | {"test": [0] * number}
        prepare(folder, "beasts", CLASSES, labels)
        for name in places:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        if number > 1:
            monkeypatch.setenv("TFDS_DATA_DIR", str(places["TFDS_DATA_DIR"]))
        if number > 2:
            monkeypatch.setenv("JAXCLR_DATA", str(places["JAXCLR_DATA"]))
        assert len(Beasts().load().domains[1].images) == number


def test_the_newest_version_that_can_be_read_is_taken(tmp_path):
    for version, number in [("2.9.0", 1), ("10.0.0", 3), ("3.0.0", 2)]:
        labels = LABELS | {"test": [0] * number}
        prepare(tmp_path, "beasts", CLASSES, labels, version=version)
    assert len(Beasts(root=str(tmp_path)).load().domains[1].images) == 3
    info = tmp_path / "beasts" / "10.0.0" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    assert len(Beasts(root=str(tmp_path)).load().domains[1].images) == 2


def test_what_is_prepared_anew_is_read_anew(tmp_path):
    folder = prepare(tmp_path, "beasts", CLASSES, LABELS)
    before = read(Beasts(root=str(tmp_path)).load().domains[1])
    shutil.rmtree(folder)
    prepare(tmp_path, "beasts", CLASSES, LABELS | {"test": [1, 1, 1]})
    after = read(Beasts(root=str(tmp_path)).load().domains[1])
    assert [label for _, label in after] == [1, 1, 1]
    assert [image for image, _ in before] == [image for image, _ in after]


def test_another_number_of_images_is_told(tmp_path, caplog):
    prepare(tmp_path, "beasts", CLASSES, LABELS | {"test": [0, 1]})
    Beasts(root=str(tmp_path)).load()
    (record,) = (r for r in caplog.records if r.levelno == logging.WARNING and "here" in r.msg)
    assert record.getMessage() == "beasts: 2 images of 'test' are here, 3 were published"


def test_reading_is_silent_and_needs_no_tensorflow(root, caplog, capfd):
    for domain in Beasts(root=str(root)).load().domains:
        list(domain.images)
    assert not caplog.records and capfd.readouterr() == ("", "")
    assert "tensorflow" not in sys.modules


def read_in_another_process(images: Images, index: int, results) -> None:
    results.put(images[index].tobytes())


def test_images_pickle_small_and_read_the_same_in_a_spawned_process(root):
    images = Beasts(root=str(root)).load().domains[0].images
    expected = images[7].tobytes()
    assert len(pickle.dumps(images)) < 1000
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    process = spawn.Process(target=read_in_another_process, args=(images, 7, results))
    process.start()
    assert results.get(timeout=60) == expected
    process.join()
    results.close()


def test_many_threads_read_what_one_reads(root):
    images = pickle.loads(pickle.dumps(Beasts(root=str(root)).load().domains[0].images))
    alone = [image.tobytes() for image in images]
    Beasts(root=str(root)).load()
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda index: images[index % 12].tobytes(), range(600))
        assert list(together) == alone * 50


def test_absent_it_says_where_it_was_looked_for_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nowhere"))
    prepare(tmp_path, "plants", CLASSES, LABELS)
    with pytest.raises(InputError) as refusal:
        Beasts().load()
    for part in (
        f"{tmp_path} (not in it), {tmp_path / 'nowhere'} (not there)", "beasts/<version>",
        "https://beasts.example", "tfds build beasts --file_format=array_record", "--dataset.root",
    ):  # fmt: skip
        assert part in str(refusal.value)


def test_another_data_set_in_the_root_is_not_mistaken_for_it(tmp_path):
    folder = prepare(tmp_path, "plants", CLASSES, LABELS)
    with pytest.raises(InputError, match="No images of 'beasts'"):
        Beasts(root=str(folder)).load()


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("dataset_info.json", "array_record", "tfrecord", "as tfrecord, .*anew: tfds build beasts"),
        ("dataset_info.json", '"others"', '"unknown"', "no split 'others', only test, train, unk"),
        ("dataset_info.json", "{", "[", "TensorFlow Datasets cannot open it"),
        ("features.json", "ClassLabel", "Nothing", "TensorFlow Datasets cannot open it"),
        ("label.labels.txt", "emu", "owl", "the classes are cat, dog, owl, not those expected"),
    ],
)
def test_what_does_not_fit_is_reported_with_its_folder(tmp_path, file, before, after, message):
    folder = prepare(tmp_path, "beasts", CLASSES, LABELS)
    spoilt(tmp_path, file, before, after)
    with pytest.raises(InputError, match=message) as refusal:
        Beasts(root=str(tmp_path)).load()
    assert str(folder) in str(refusal.value)


def test_a_file_that_is_missing_is_reported(tmp_path):
    folder = prepare(tmp_path, "beasts", CLASSES, LABELS)
    (folder / "beasts-test.array_record-00000-of-00001").unlink()
    with pytest.raises(JaxclrError, match=r"record 0 of 'test' cannot be read .*test\.array_rec"):
        Beasts(root=str(tmp_path)).load()


def test_a_file_that_is_damaged_is_reported_when_it_is_read(tmp_path):
    folder = prepare(tmp_path, "beasts", CLASSES, LABELS)
    path = folder / "beasts-others.array_record-00000-of-00001"
    path.write_bytes(path.read_bytes()[:500])
    images = Beasts(root=str(tmp_path)).load().domains[0].images
    with pytest.raises(JaxclrError, match="record 0 of 'others' cannot be read"):
        images[0]
    assert images[5].shape == (8, 8, 3)


def test_an_image_that_cannot_be_decoded_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("prepare.Image.Image.save", lambda _, file, kind: file.write(b"nothing"))
    prepare(tmp_path, "beasts", CLASSES, LABELS)
    images = Beasts(root=str(tmp_path)).load().domains[0].images
    with pytest.raises(JaxclrError, match="image 2 of 'train' cannot be decoded"):
        images[7]


def test_without_the_package_the_message_says_how_to_install_it(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"pip install 'jaxclr\[tfds\]'"):
        Beasts(root=str(root)).load()


def test_the_pixels_of_the_tests_differ():
    assert len({pixels(split, i, 8).tobytes() for split in LABELS for i in range(9)}) == 27
