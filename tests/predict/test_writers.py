"""What predictions are written as, and what a terminal shows of them."""

import csv
import io
import os
import sys

import numpy as np
import pytest
from rich.console import Console

from jaxclr.errors import InputError
from jaxclr.predict import writers as to
from jaxclr.predict.rows import Rows, ranked, softmax
from jaxclr.predict.screen import SHOWN, Screen

CLASSES = ("ant", "bee", "[red]cat[/red]", "dog")
WIDTH = 3


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    return Rows(
        tuple(f"some/ü, {seed}-{i}.png" for i in range(count)),
        rng.dirichlet(np.ones(len(CLASSES)), count),
        rng.normal(size=(count, WIDTH)).astype(np.float32),
    )


BATCHES = [rows(5, 1), rows(4, 2), rows(1, 3)]


def expected(top):
    """All cells of the table, by sorting in Python."""
    for batch in BATCHES:
        for path, shares in zip(batch.path, batch.probabilities, strict=True):
            order = sorted(range(len(CLASSES)), key=lambda c: -shares[c])[:top]
            yield path, [CLASSES[c] for c in order], [shares[c] for c in order]


def check(header, cells, top):
    assert header[:3] == ["path", "class", "probability"] and len(header) == 1 + 2 * top
    for row, (path, names, shares) in zip(cells, expected(top), strict=True):
        assert row[0] == path and list(row[1::2]) == names
        np.testing.assert_array_equal(np.float32(row[2::2]), np.float32(shares))


@pytest.mark.parametrize("top, shown", [(1, 1), (3, 3), (9, 4)])
def test_csv_holds_the_likeliest_classes_to_the_last_bit_of_single_precision(tmp_path, top, shown):
    with to.csv_file(tmp_path / "new" / "out.csv", CLASSES, top) as write:
        [*map(write, BATCHES)]
        assert not (tmp_path / "new" / "out.csv").exists()
    data = (tmp_path / "new" / "out.csv").read_bytes()
    header, *cells = csv.reader(io.StringIO(data.decode()))
    check(header, cells, shown)
    assert os.listdir(tmp_path / "new") == ["out.csv"] and b"\r" not in data


@pytest.mark.parametrize("group", [3, 20_000])
def test_parquet_holds_the_same(tmp_path, monkeypatch, group):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(to, "GROUP", group)
    with to.parquet_file(tmp_path / "out.parquet", CLASSES, 2) as write:
        [*map(write, BATCHES)]
    found = parquet.ParquetFile(tmp_path / "out.parquet")
    assert found.num_row_groups == (3 if group == 3 else 1)
    table = found.read().to_pydict()
    check([*table], zip(*table.values(), strict=True), 2)


def test_features_are_in_one_archive_in_the_order_of_the_paths(tmp_path):
    with to.features_npz(tmp_path / "f.npz", WIDTH) as write:
        [*map(write, BATCHES)]
    with np.load(tmp_path / "f.npz", allow_pickle=False) as arrays:
        assert [*arrays["path"]] == [path for batch in BATCHES for path in batch.path]
        np.testing.assert_array_equal(
            arrays["features"], np.concatenate([batch.features for batch in BATCHES])
        )
    assert os.listdir(tmp_path) == ["f.npz"]


def test_features_in_parquet_are_lists_of_one_length(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    with to.features_parquet(tmp_path / "f.parquet", WIDTH) as write:
        [*map(write, BATCHES)]
    table = parquet.read_table(tmp_path / "f.parquet")
    assert table.schema.field("features").type.list_size == WIDTH
    np.testing.assert_array_equal(
        np.array(table["features"].to_pylist(), np.float32),
        np.concatenate([batch.features for batch in BATCHES]),
    )


@pytest.mark.parametrize(
    "opened, name, last",
    [
        (to.csv_file, "f.csv", (CLASSES, 2)),
        (to.parquet_file, "f.parquet", (CLASSES, 2)),
        (to.features_npz, "f.npz", (WIDTH,)),
        (to.features_parquet, "f.parquet", (WIDTH,)),
    ],
)
def test_what_fails_half_way_leaves_the_file_of_before(tmp_path, opened, name, last):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_text("before")
    with pytest.raises(ZeroDivisionError), opened(tmp_path / name, *last) as write:
        write(BATCHES[0])
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_text() == "before"


def test_without_pyarrow_it_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'jaxclr\[parquet\]'"):
        to.refuse_suffix(tmp_path / "out.parquet", [".csv", ".parquet"])


def test_names_that_are_no_text_are_escaped():
    name = os.fsdecode(b"\xff.png")
    assert to.text_of(name).isascii() and to.text_of("ü\n.png") == "ü\n.png"


def test_classes_stay_in_the_order_of_their_logits_however_sure_the_network_is():
    logits = np.array([[90.0, 0.0, 1.0, -3e38], [0.0, 0.0, 0.0, 0.0]], np.float32)
    found = ranked(softmax(logits), 3)
    assert found.classes.tolist() == [[0, 2, 1], [0, 1, 2]]
    assert found.probabilities[1].tolist() == [0.25] * 3


def shown(batches, *, table, columns=100):
    console = Console(file=io.StringIO(), width=columns, highlight=False)
    screen = Screen(CLASSES, 3, table=table)
    [*map(screen.write, batches)]
    screen.show(console)
    return console.file.getvalue()


def test_a_terminal_shows_the_first_images_and_counts_them_all():
    many = [rows(30, seed) for seed in range(3)]
    text = shown(many, table=True)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.startswith("some/ü, ") for line in lines) == SHOWN
    assert f"and {90 - SHOWN} more" in text
    first = np.concatenate([batch.probabilities for batch in many]).argmax(-1)
    for c, name in enumerate(CLASSES):
        of_class = [line for line in lines if line.startswith(name)]
        assert of_class[0].split()[1] == str(np.sum(first == c))


def test_a_terminal_shows_the_summary_alone_where_the_rows_go_to_a_file():
    text = shown(BATCHES, table=False)
    assert "some/" not in text and "[red]cat[/red]" in text


def test_names_with_line_breaks_or_markup_stay_on_their_line():
    batch = rows(2)._replace(path=("a\nb.png", "[bold]c.png"))
    text = shown([batch], table=True)
    assert "a\\nb.png" in text and "[bold]c.png" in text
