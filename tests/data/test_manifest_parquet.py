import sys
from pathlib import Path

import pytest
from test_manifest import HEADER, LINES, load, tree

from jaxclr.errors import InputError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def written(root: Path, columns: dict[str, object]) -> Path:
    """Writes the images of LINES and a Parquet table with these columns."""
    tree(root)
    parquet.write_table(pa.table(columns), root / "list.parquet")
    return root / "list.parquet"


def columns(**others) -> dict[str, object]:
    """The columns of LINES, some of them replaced or added."""
    paths, labels, domains = zip(*LINES, strict=True)
    return {"path": paths, "label": labels, "domain": domains, **others}


def told(collection):
    return collection.classes, [
        (d.name, d.paths, d.label.tolist(), d.train.tolist(), [i.tobytes() for i in d.images])
        for d in collection.domains
    ]


def test_parquet_says_what_csv_says(tmp_path):
    expected = told(load(tree(tmp_path)))
    assert told(load(written(tmp_path, columns()))) == expected
    nulls = [label or None for label in columns()["label"]]
    coded = pa.array(nulls).dictionary_encode()
    wide = {"note": [b"x"] * 5, **columns(label=coded)}
    assert told(load(written(tmp_path, wide))) == expected


@pytest.mark.parametrize(
    "label",
    [
        pa.array([2, 0, None, 1, 2], pa.int8()),
        pa.array([2.0, 0.0, float("nan"), 1.0, 2.0]),
        pa.array([2, 0, -1, 1, 2]),
        pa.array(["2", "0", "", "1", "2"]),
    ],
)
def test_numbers_may_be_of_any_type(tmp_path, label):
    ink, oil = (collection := load(written(tmp_path, columns(label=label)))).domains
    assert collection.classes == ("0", "1", "2")
    assert (ink.label.tolist(), oil.label.tolist()) == ([0, -1, 2], [1, 2])


@pytest.mark.parametrize(
    "flag", [{"train": [True, True, False, False, True]}, {"train": [1, 1, 0, 0, 1]}]
)
def test_flags_may_be_of_any_type(tmp_path, flag):
    ink, oil = load(written(tmp_path, columns(**flag))).domains
    assert ink.train.tolist() == [True, False, True] and oil.train.tolist() == [False, True]


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"label": [[1], [2], [3], [4], [5]]}, r"row 1: the label '\[1\]' is neither a name"),
        ({"label": [True, False, True, True, False]}, "row 1: the label 'True' is neither a name"),
        ({"label": [0.5, 1.0, 2.0, 3.0, 4.0]}, "row 1: the label '0.5' is neither a name"),
        ({"path": ["a.png", None, "b.png", "c.png", "d.png"]}, "row 2: no path"),
        ({"train": [True, None, True, True, True]}, "row 2: train is 'none'"),
    ],
)
def test_a_row_that_does_not_fit_is_reported_with_its_number(tmp_path, others, message):
    with pytest.raises(InputError, match=rf"list\.parquet, {message}"):
        load(written(tmp_path, columns(**others)))


def test_a_column_that_is_missing_is_reported(tmp_path):
    lacking = {name: values for name, values in columns().items() if name != "domain"}
    with pytest.raises(InputError, match="no column 'domain' in the header, only 'path', 'label'"):
        load(written(tmp_path, lacking))


def test_a_file_that_is_damaged_or_not_there_is_reported(tmp_path):
    path = written(tmp_path, columns())
    for content in (b"", b"nothing at all", path.read_bytes()[:-20]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"list\.parquet: not Parquet, or damaged"):
            load(path)
    with pytest.raises(InputError, match=r"gone\.parquet: cannot be read"):
        load(tmp_path / "gone.parquet")


def test_without_the_package_the_message_says_what_to_do(tmp_path, monkeypatch):
    path = written(tmp_path, columns())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install pyarrow; or save the table as CSV"):
        load(path)


def test_the_columns_of_the_tests_are_those_of_the_header():
    assert list(columns()) == HEADER
