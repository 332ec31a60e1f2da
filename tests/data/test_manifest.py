import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxclr.data.manifest import Manifest
from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.split import draw_split
from jaxclr.pipeline.split_files import read_split, write_split

HEADER = ["path", "label", "domain"]
LINES = [
    ["oil/b.png", "dog", "oil"],
    ["scans/a.png", "cat", "ink"],
    ["scans/b.png", "", "ink"],
    ["oil/a.png", "emu", "oil"],
    ["scans/c.jpg", "dog", "ink"],
]


def colour(path: str) -> tuple[int, ...]:
    return tuple(np.random.default_rng([*path.encode()]).integers(0, 256, 3).tolist())


def tree(root: Path, lines=LINES, header=HEADER, name="list.csv", missing=()) -> Path:
    """Writes a table and the images it lists, each of another colour; returns the table."""
    for path, *_ in filter(None, lines):
        if path and path not in missing:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), colour(path)).save(root / path)
    table = root / name
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return table


def load(table: Path, **settings):
    return Manifest(path=str(table), **settings).load()


def test_a_table_is_read_with_its_images_labels_and_domains(tmp_path):
    ink, oil = (collection := load(tree(tmp_path))).domains
    assert collection.classes == ("cat", "dog", "emu")
    assert (ink.name, oil.name) == ("ink", "oil")
    assert ink.paths == ("ink/scans/a.png", "ink/scans/b.png", "ink/scans/c.jpg")
    assert oil.paths == ("oil/a.png", "oil/b.png")
    assert ink.label.tolist() == [0, -1, 1] and oil.label.tolist() == [2, 1]
    assert ink.train.all() and oil.train.all()
    for domain, files in ((ink, ("scans/a.png", "scans/b.png")), (oil, ("oil/a.png", "oil/b.png"))):
        for image, file in zip(domain.images, files, strict=False):
            assert image.shape == (8, 8, 3)
            assert (image == colour(file)).all()


def test_the_root_is_where_paths_start(tmp_path):
    tree(tmp_path / "images")
    (tmp_path / "lists").mkdir()
    table = (tmp_path / "images/list.csv").rename(tmp_path / "lists/all.csv")
    found = load(table, root=str(tmp_path / "images"))
    assert found.domains[1].paths == ("oil/a.png", "oil/b.png")
    with pytest.raises(InputError, match=r"5 of 5 images are not in .*oil/b\.png on line 2"):
        load(table)
    above = tree(tmp_path / "lists", [[f"../images/{path}", *rest] for path, *rest in LINES])
    assert load(above).domains[1].label.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("written", "classes", "label"),
    [
        (("3", "10", "", "7", "10"), ("3", "7", "10"), ([2, -1, 2], [1, 0])),
        (("0", "1", "-1", "2", "1.0"), ("0", "1", "2"), ([1, -1, 1], [2, 0])),
        (("b 2", "a", "nan", "é", "b 2"), ("a", "b 2", "nan", "é"), ([0, 2, 1], [3, 1])),
    ],
)
def test_labels_are_names_or_numbers_in_their_order(tmp_path, written, classes, label):
    lines = [[path, new, domain] for (path, _, domain), new in zip(LINES, written, strict=True)]
    ink, oil = (collection := load(tree(tmp_path, lines))).domains
    assert collection.classes == classes
    assert (ink.label.tolist(), oil.label.tolist()) == label


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("train", ("1", "yes", "0", "No", "TRUE")),
        ("split", ("train", "train", "crossval", "test", "Train")),
    ],
)
def test_a_flag_or_a_fold_says_what_is_trained_on(tmp_path, column, values):
    lines = [[*line, value] for line, value in zip(LINES, values, strict=True)]
    ink, oil = load(tree(tmp_path, lines, [*HEADER, column])).domains
    assert ink.train.tolist() == [True, False, True] and oil.train.tolist() == [False, True]


def test_columns_may_be_in_any_order_in_capitals_and_beside_others(tmp_path):
    order = ["Note", " Domain", "PATH", "Label"]
    lines = [["x, y", domain, path, label] for path, label, domain in LINES]
    plain = tree(tmp_path)
    (tmp_path / "other.csv").write_bytes(b"")
    with open(tmp_path / "other.csv", "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([order, *lines])
        file.write("\n\n")
    for one, other in zip(load(plain).domains, load(tmp_path / "other.csv").domains, strict=True):
        assert one.paths == other.paths and one.label.tolist() == other.label.tolist()


def test_what_is_drawn_does_not_depend_on_the_order_of_lines(tmp_path):
    names = [(d, c, i) for d, c, i in itertools.product(("ink", "oil"), ("cat", "dog"), range(6))]
    lines = [[f"{d}/{c}{i}.png", c, d] for d, c, i in names]
    splits = []
    for turn in (lines, lines[::-1]):
        found = load(tree(tmp_path, turn))
        splits.append(draw_split(found.domains, found.classes, labels_per_class=2, seed=1))
    for one, other in zip(*(split.labeled for split in splits), strict=True):
        np.testing.assert_array_equal(one, other)
    write_split(tmp_path / "a.json", splits[0], found.domains)
    for one, other in zip(read_split(tmp_path / "a.json", found.domains), splits[0], strict=True):
        assert [a.tolist() for a in one] == [b.tolist() for b in other]


def test_unreadable_images_are_left_out_if_asked_and_cached_if_asked(tmp_path):
    table = tree(tmp_path)
    (tmp_path / "scans/b.png").write_bytes(b"broken")
    with pytest.raises(JaxclrError, match=r"scans/b\.png"):
        list(load(table).domains[0].images)
    for cache in (None, str(tmp_path / "cache")):
        ink, _ = load(table, skip_unreadable=True, cache=cache).domains
        assert ink.paths == ("ink/scans/a.png", "ink/scans/c.jpg") and ink.label.tolist() == [0, 1]
        assert (ink.images[0] == colour("scans/a.png")).all() and len(ink.images) == 2


def changed(line: int, column: int, value: str) -> list[list[str]]:
    lines = [[*cells] for cells in LINES]
    lines[line][column] = value
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (changed(1, 0, ""), "line 3: no path; every image needs one"),
        (changed(1, 0, "/a.png"), "line 3: /a.png is absolute"),
        (changed(1, 0, "oil/../oil/b.png"), r"line 3: oil/b\.png is there twice, first on line 2"),
        (changed(2, 2, " "), "line 4: no domain; every image needs one"),
        (changed(2, 2, "a/b"), "line 4: 'a/b' is no name for a domain"),
        (changed(2, 1, "-2"), "line 4: the label '-2' is neither a name nor an integer from 0"),
        (changed(2, 1, "1.5"), "line 4: the label '1.5' is neither"),
        (changed(2, 1, "3"), "'dog' on line 2 is a name, but 3 on line 4 is a number"),
        (LINES[:1] + LINES[3:4], "at least two domains are needed; 'oil' is the only one"),
        ([LINES[0], LINES[2], LINES[4]], "at least two classes are needed; 'dog' is the only"),
        ([], "at least two domains are needed, and there is none"),
        ([*LINES, ["a.png", "cat"]], "line 7: 2 cells, but the header has 3"),
    ],
)
def test_a_line_that_does_not_fit_is_reported_with_its_number(tmp_path, lines, message):
    table = tree(tmp_path, [line for line in lines if not line[0].startswith("/")])
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows([HEADER, *lines])
    with pytest.raises(InputError, match=rf"list\.csv.*{message}"):
        load(table)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            ["path", "class", "domain"],
            "no column 'label' in the header, only 'path', 'class'",
        ),
        (["path;label;domain"], "no column 'path' in the header, only 'path;label;domain'"),
        ([], "no column 'path' in the header, only an empty line"),
        ([*HEADER, "train", "split"], "train and split say the same"),
        ([*HEADER, "path"], "two columns are called 'path'"),
        ([*HEADER, "train"], "line 2: train is 'x'. Allowed: true, yes, 1, false, no, 0"),
        ([*HEADER, "split"], "line 2: split is 'x'. Allowed: train, val"),
    ],
)
def test_a_header_or_a_flag_that_does_not_fit_is_reported(tmp_path, header, message):
    lines = [[*line, "x", "x"][: len(header)] for line in LINES]
    with pytest.raises(InputError, match=message):
        load(tree(tmp_path, lines, header))


def test_images_that_are_not_there_are_counted_and_the_first_named_with_their_lines(tmp_path):
    table = tree(tmp_path, missing=("scans/b.png", "scans/c.jpg"))
    with pytest.raises(InputError, match=r"2 of 5 .* scans/b\.png on line 4, scans/c\.jpg on"):
        load(table)
    (tmp_path / "scans/b.png").mkdir()
    with pytest.raises(InputError, match=r"2 of 5 images .* scans/b\.png on line 4"):
        load(table)


def test_a_table_that_cannot_be_read_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"--dataset\.path"):
        Manifest().load()
    with pytest.raises(InputError, match=r"gone\.csv: cannot be read"):
        load(tmp_path / "gone.csv")
    with pytest.raises(InputError, match=r"list\.txt: a table is a \.csv or a \.parquet"):
        load(tree(tmp_path, name="list.txt"))
    for content in (b"path,label,domain\n\xff\xfe,a,b\n", b'path,label,domain\n"a"b,c,d\n'):
        (tmp_path / "bad.csv").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.csv: not CSV in UTF-8"):
            load(tmp_path / "bad.csv")
