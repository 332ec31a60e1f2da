import json

import numpy as np
import pytest

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import Split, draw_split
from jaxclr.pipeline.split_files import read_split, split_name, write_split

CLASSES = ("cat", "dog")


def domain(name: str, per_class: int = 12, suffix: str = "jpg") -> Domain:
    """A domain without pixels, every fourth image of which is not for training."""
    paths = [f"{name}/{kind}/{i:02d}.{suffix}" for kind in CLASSES for i in range(per_class)]
    label = np.array([CLASSES.index(path.split("/")[1]) for path in paths], np.int32)
    train = np.array([int(path.split("/")[2][:2]) % 4 != 3 for path in paths], bool)
    return Domain(name, tuple(paths), label, train, [np.zeros((1, 1, 3), np.uint8)] * len(paths))


def same(one: Split, other: Split) -> bool:
    return all(
        np.array_equal(a, b)
        for field, fields in zip(one, other, strict=True)
        for a, b in zip(field, fields, strict=True)
    )


SOURCES = [domain("ink"), domain("oil"), domain("photo")]


def test_a_file_gives_back_the_split_written_to_it(tmp_path):
    split = draw_split(SOURCES, CLASSES, labels_per_class=3, seed=2)
    path = tmp_path / "new" / split_name("sketch", 18, 2)
    write_split(path, split, SOURCES)
    assert same(read_split(path, SOURCES), split)
    assert [file.name for file in path.parent.iterdir()] == ["sketch_nlab18_seed2.json"]


def test_the_file_is_in_the_format_of_ssdg_benchmark(tmp_path):
    split = Split((np.array([0, 13]),), (np.array([1]),))
    write_split(tmp_path / "a.json", split, SOURCES[1:2])
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "train_x": [["oil/cat/00.jpg", 0, "oil"], ["oil/dog/01.jpg", 1, "oil"]],
        "train_u": [["oil/cat/01.jpg", 0, "oil"]],
    }


OFFICIAL = {
    "train_x": [["oil/dog/02.jpg", 1, "oil"], ["ink/cat/05.jpg", 0, "ink"]],
    "train_u": [["ink/dog/00.jpg", 1, "ink"], ["oil/cat/01.jpg", 0, "oil"]],
}


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("third", ["name", "number", "none", "null"])
def test_official_files_are_read_as_they_are(tmp_path, suffix, third):
    ends = {"number": [0], "none": [], "null": [None]}
    content = {
        key: [row if third == "name" else [*row[:2], *ends[third]] for row in rows]
        for key, rows in OFFICIAL.items()
    }
    (tmp_path / "official.json").write_text(json.dumps(content, indent=4))
    sources = [domain("ink", suffix=suffix), domain("oil", suffix=suffix)]
    split = read_split(tmp_path / "official.json", sources)
    assert [list(indices) for indices in split.labeled] == [[5], [14]]
    assert [list(indices) for indices in split.unlabeled] == [[12], [1]]


def test_folds_and_numbered_class_folders_of_office_home_are_found(tmp_path):
    paths = ("art/train/000_Alarm_Clock/1.jpg", "art/train/001_Backpack/1.jpg")
    label, train = np.array([0, 1], np.int32), np.ones(2, bool)
    art = Domain("art", paths, label, train, [np.zeros((1, 1, 3), np.uint8)] * 2)
    content = {
        "train_x": [["art/train/Alarm_Clock/1.jpg", 0, "art"]],
        "train_u": [["art/train/Backpack/1.jpg", 1, "art"]],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    split = read_split(tmp_path / "a.json", [art])
    assert split.labeled[0].tolist() == [0] and split.unlabeled[0].tolist() == [1]


def test_exact_names_go_before_those_with_another_extension(tmp_path):
    paths, label = ("ink/cat/1.jpg", "ink/cat/1.png"), np.zeros(2, np.int32)
    ink = Domain("ink", paths, label, np.ones(2, bool), [np.zeros((1, 1, 3), np.uint8)] * 2)
    content = {"train_x": [["ink/cat/1.png", 0, "ink"]], "train_u": [["ink/cat/1.jpg", 0, "ink"]]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_split(tmp_path / "a.json", [ink]).labeled[0].tolist() == [1]


GOOD = {"train_x": [["ink/cat/00.jpg", 0, "ink"]], "train_u": []}
MISSING = [[f"ink/cat/{i}.jpg", 0, "ink"] for i in range(90, 99)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "train_x"),
        ('{"train_x": []}', "train_u"),
        (json.dumps(GOOD | {"train_u": [["ink/cat/01.jpg"]]}), r"\[path, label, domain\]"),
        (json.dumps(GOOD | {"train_u": MISSING}), r"9 images .* ink.*ink/cat/90\.jpg, ink/cat/91"),
        (json.dumps(GOOD | {"train_u": [["ink/dog/00.jpg", 2, "ink"]]}), r"1 labels.*2 there, 1"),
        (json.dumps({"train_x": [], "train_u": GOOD["train_x"]}), "no labeled image.*'ink'"),
    ],
)
def test_files_that_do_not_fit_are_reported(tmp_path, content, message):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_split(tmp_path / "bad.json", SOURCES[:1])
    assert "bad.json" in str(caught.value)


def test_files_that_are_not_there_or_are_no_text_are_reported(tmp_path):
    with pytest.raises(InputError, match=r"gone\.json: the split cannot be read"):
        read_split(tmp_path / "gone.json", SOURCES)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="not JSON"):
        read_split(tmp_path / "bytes.json", SOURCES)


def test_a_place_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    split = draw_split(SOURCES, CLASSES, labels_per_class=1, seed=0)
    with pytest.raises(JaxclrError, match="the split cannot be written"):
        write_split(tmp_path / "file" / "a.json", split, SOURCES)


def test_an_image_that_nobody_labeled_cannot_keep_its_label(tmp_path):
    label = np.where(np.arange(24) == 13, -1, SOURCES[0].label).astype(np.int32)
    content = {"train_x": [["ink/cat/00.jpg", 0, "ink"], ["ink/dog/01.jpg", -1, "ink"]]}
    (tmp_path / "a.json").write_text(json.dumps(content | {"train_u": []}))
    with pytest.raises(InputError, match=r"a\.json: ink/dog/01\.jpg is to keep its label"):
        read_split(tmp_path / "a.json", [SOURCES[0]._replace(label=label)])
