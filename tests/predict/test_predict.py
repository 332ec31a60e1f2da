"""Predictions for images in files, from argv to what is written."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from finished import finished, spill, trained
from PIL import Image
from toy import CLASSES, toy_experiment

from jaxclr.predict import main
from jaxclr.probe import Probe
from jaxclr.records import read_record


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def images(tmp_path):
    spill(tmp_path / "images")
    return tmp_path / "images"


def predict(capsys, *arguments):
    """The exit code, and what was printed."""
    code = main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    return code, told.out, told.err


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_predictions_are_those_that_the_run_was_tested_by(run, images, capsys):
    code, out, _ = predict(capsys, "--run", run, images, "--batch-size", 16)
    rows, record = {row["path"]: row for row in rows_of(out)}, read_record(run)
    tested = record.predictions
    assert code == 0 and tested is not None and len(rows) == len(tested.path) == 36
    mine = [rows[str(images / path)] for path in tested.path]
    assert [row["class"] for row in mine] == [CLASSES[guess] for guess in tested.guess]
    shares = np.array([float(row["probability"]) for row in mine])
    np.testing.assert_allclose(shares, tested.confidence, atol=1e-6)
    right = np.mean([row["class"] == CLASSES[c] for row, c in zip(mine, tested.label, strict=True)])
    assert 100 * right == pytest.approx(record.results["accuracy"])


def test_classes_stand_in_order_and_their_probabilities_sum_to_one(run, images, capsys):
    _, out, _ = predict(capsys, "--run", run, images)
    names, shares = ["class", "class_2", "class_3"], ["probability", "probability_2"]
    for row in rows_of(out):
        assert {row[name] for name in names} == set(CLASSES)
        values = [float(row[name]) for name in [*shares, "probability_3"]]
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-6)
    _, out, _ = predict(capsys, "--run", run, images, "--top", 1)
    assert out.splitlines()[0] == "path,class,probability"


def test_what_cannot_be_read_is_named_and_left_out(run, tmp_path, capsys):
    good = spill(tmp_path / "good")[0].read_bytes()
    odd = tmp_path / "odd"
    odd.mkdir()
    files = {
        "Straße 7 ü猫.png": good, "a,b \"c\".png": good, "new\nline.PNG": good,
        "no_suffix": good, "cut.png": good[:60], "empty.jpg": b"", "text.jpg": b"just a text",
    }  # fmt: skip
    for name, data in files.items():
        (odd / name).write_bytes(data)
    code, out, err = predict(capsys, "--run", run, odd)
    assert code == 0 and "3 of 6 skipped" in err
    for name in ("cut.png", "empty.jpg", "text.jpg"):
        assert f"skipped {odd / name}: " in err
    assert "--dataset" not in err
    read = [os.path.relpath(row["path"], odd) for row in rows_of(out)]
    assert read == sorted(["Straße 7 ü猫.png", 'a,b "c".png', "new\nline.PNG"])
    # A file that is named is taken whatever it is called, and once however often it is named.
    code, out, _ = predict(capsys, "--run", run, odd / "no_suffix", odd / "no_suffix")
    assert code == 0 and len(rows_of(out)) == 1


def test_where_nothing_can_be_read_nothing_is_written(run, tmp_path, capsys):
    (tmp_path / "text.jpg").write_text("just a text")
    outputs = ("--output", tmp_path / "out.csv", "--features", tmp_path / "out.npz")
    code, _, err = predict(capsys, "--run", run, tmp_path, *outputs)
    assert code == 1 and "No image could be read." in err
    assert os.listdir(tmp_path) == ["text.jpg"]


def test_files_folders_and_zips_hold_the_same(run, images, tmp_path, capsys):
    import zipfile

    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in sorted(images.rglob("*.png")):
            archive.write(file, file.relative_to(images))
    told = []
    for place in (images, tmp_path / "all.zip"):
        _, out, _ = predict(capsys, "--run", run, place)
        told.append(out.replace(str(place), ""))
    assert told[0] == told[1] and len(told[0].splitlines()) == 37


def test_every_format_is_looked_for(run, tmp_path, capsys):
    names = ["a.bmp", "b.gif", "c.jpeg", "d.png", "e.webp"]
    for name in names:
        Image.new("RGB", (40, 30), "red").save(tmp_path / name)
    _, out, _ = predict(capsys, "--run", run, tmp_path)
    assert [row["path"] for row in rows_of(out)] == [str(tmp_path / name) for name in names]


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["nowhere"], "nowhere: cannot be read"),
        (["."], "No images in ."),
        (["x.png", "--top", "0"], "at least 1"),
        (["x.png", "--output", "x.txt"], "ends in .csv or .parquet"),
        (["x.png", "--features", "x.csv"], "ends in .npz or .parquet"),
        (["x.png", "--output", "x.parquet", "--features", "a/../x.parquet"], "the same file"),
    ],
)
def test_what_is_asked_wrongly_is_told(run, arguments, told, tmp_path, monkeypatch, capsys):
    if any(argument.endswith(".parquet") for argument in arguments):
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    code, _, err = predict(capsys, "--run", run, *arguments)
    assert code == 2 and told in err


def test_of_several_runs_one_has_to_be_chosen(run, images, capsys):
    code, _, err = predict(capsys, "--run", run.parent.parent, images)
    assert code == 2 and str(run) in err


def test_a_network_tested_by_a_probe_gives_features_alone(images, tmp_path, capsys):
    folder = finished(tmp_path / "run", toy_experiment(evaluation=Probe()))
    code, _, err = predict(capsys, "--run", folder, images)
    assert code == 2 and "--features" in err
    code, out, _ = predict(capsys, "--run", folder, images, "--features", tmp_path / "f.npz")
    assert code == 0 and out == ""
    with np.load(tmp_path / "f.npz") as arrays:
        assert len(arrays["path"]) == len(arrays["features"]) == 36


def test_help_waits_for_nothing():
    code = (
        "import sys; from jaxclr.predict import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'jax', 'numpy', 'PIL', 'rich'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "--features" in done.stdout, done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(run, images):
    command = [sys.executable, "-m", "jaxclr.predict", "--run", str(run), str(images)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    ) as started:  # fmt: skip
        assert started.stdout and started.stderr
        started.stdout.close()
        told = started.stderr.read()
        assert started.wait() == 0 and "rror" not in told, told


def test_other_outputs_go_on_when_nobody_reads_rows(run, images, tmp_path, monkeypatch, capsys):
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w", buffering=1) as unread, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", unread)
        code = main(["--run", str(run), str(images), "--features", str(tmp_path / "f.npz")])
    err = capsys.readouterr().err
    assert code == 0 and "36 images predicted" in err and f"Features: {tmp_path / 'f.npz'}" in err
    with np.load(tmp_path / "f.npz") as arrays:
        assert len(arrays["path"]) == len(arrays["features"]) == 36


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_names_of_classes_that_are_no_text_are_escaped(images, tmp_path, capsys, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    folder = finished(tmp_path / "run", classes=[os.fsdecode(b"\xff"), "cross", "stripes"])
    code, _, err = predict(capsys, "--run", folder, images, "--output", tmp_path / name)
    assert code == 0, err
    if name == "out.csv":
        rows = rows_of((tmp_path / name).read_text("utf-8"))
        assert {row["class"] for row in rows} <= {r"\udcff", "cross", "stripes"}
        assert any(r"\udcff" in row.values() for row in rows)


def test_who_interrupts_is_told_that_rows_may_have_been_printed(run, images, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("jaxclr.predict.rows.predict", interrupted)
    code, out, err = predict(capsys, "--run", run, images)
    assert code == 130 and out.startswith("path,")
    assert "Nothing" not in err and "standard output" in err


def test_settings_of_an_experiments_own_file_are_read_once_they_are_in_a_module(
    images, tmp_path, capsys
):
    folder = finished(tmp_path / "run")
    code = (folder / "experiment.txt").read_text()
    (folder / "experiment.txt").write_text(code.replace("from toy ", "from experiment_mine "))
    told, _, err = predict(capsys, "--run", folder, images)
    assert told == 2 and "must not stand in the experiment's own file" in err
    (folder / "experiment.txt").write_text(code)
    told, _, err = predict(capsys, "--run", folder, images)
    assert told == 0, err
