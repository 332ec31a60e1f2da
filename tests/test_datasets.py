"""The command about data sets, from argv to exit code."""

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxclr import datasets
from jaxclr.data.folder import Folder
from jaxclr.datasets import main
from jaxclr.pipeline import prepare

FILES = [f"{domain}/{name}/{n}.png" for domain in ("day", "night") for name in "ab" for n in "123"]


def fill(root: Path, size: int = 8) -> str:
    """Twelve pictures of two classes in two domains, no two alike."""
    rng = np.random.default_rng(0)
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8)).save(root / file)
    return str(root)


def run(capsys, *arguments) -> tuple[int, str]:
    """The exit code, and all that was printed; no line of it is too wide."""
    code = main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    text = told.out + told.err
    assert "Traceback" not in text
    assert max(map(len, told.out.splitlines()), default=0) <= 100
    return code, text


def flat(text: str) -> str:
    """The same without breaks of lines."""
    return " ".join(text.split())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without any data set, and a terminal that is wider than what is printed."""
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("JAXCLR_DATA", raising=False)


def test_help_waits_for_nothing():
    code = (
        "import sys; from jaxclr.datasets import main\n"
        "for words in (['--help'], ['verify', '--help'], ['prepare', '-h']):\n"
        "    try: main(words)\n"
        "    except SystemExit as stop: assert stop.code == 0\n"
        "assert not {'jax', 'numpy', 'rich', 'tyro', 'PIL'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    for word in ("verify", "prepare", "--root", "--out", "--size"):
        assert word in done


def test_help_of_a_card_lists_its_fields(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["verify", "fmow", "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert "--domains-by" in told and "--at-least" in told


@pytest.mark.parametrize("words", [[], ["list"]])
def test_the_list_tells_what_is_there_and_where_else_it_was_looked_for(
    capsys, monkeypatch, tmp_path, words
):
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path / "shared"))
    fill(tmp_path / "shared" / "folder")
    version = tmp_path / "tfds/cifar10/3.0.2"
    version.mkdir(parents=True)
    splits = [
        {"name": "train", "shardLengths": ["40", "2"], "numBytes": "1500"},
        {"name": "test", "shardLengths": ["7"], "numBytes": "500"},
    ]
    (version / "dataset_info.json").write_text(json.dumps({"splits": splits}))
    broken = tmp_path / "tfds/cifar100/3.0.2"
    broken.mkdir(parents=True)
    (broken / "dataset_info.json").write_text("{")
    code, text = run(capsys, *words)
    # Long paths are broken where a column ends.
    rows = "".join(text.split())
    assert code == 0
    size = sum((tmp_path / "shared/folder" / file).stat().st_size for file in FILES) / 1000
    for row in (
        f"folder {size:.1f} kB day 6, night 6 {tmp_path / 'shared/folder'}",
        f"cifar10 2.0 kB train 42, test 7 {version}",
        f"cifar100 {broken}: its dataset_info.json cannot be read",
        "digits scan 599, texture 599, outline 599, print 600 made in memory",
        "manifest yours",
        f"pacs not there: {tmp_path / 'shared/pacs'}, datasets/pacs",
        "datasets/office_home_dg",
    ):
        assert "".join(row.split()) in rows


def test_the_list_tells_of_images_that_are_not_as_they_should_be(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path))
    fill(tmp_path / "folder")
    shutil.copytree(tmp_path / "folder/day", tmp_path / "folder/more/deep/day")
    assert "folder not as it should be:" in flat(run(capsys)[1])


def test_verify_ends_with_0_where_nothing_is_wrong(capsys, tmp_path):
    code, text = run(capsys, "verify", "folder", "--root", fill(tmp_path / "in"))
    assert code == 0 and "No problem found." in text
    assert "folder: 12 images of 2 classes in 2 domains" in text
    assert "day 6 not known 0 0 night 6 not known 0 0" in flat(text)


def test_verify_ends_with_1_and_says_what_to_do(capsys, tmp_path):
    root = fill(tmp_path / "in")
    shutil.copy(tmp_path / "in/day/a/1.png", tmp_path / "in/night/a/1.png")
    for file in FILES[6:]:
        (tmp_path / "in" / file).write_bytes(b"broken")
    code, text = run(capsys, "verify", "folder", "--root", root)
    assert code == 1
    assert "problem: Cannot be read: 6 images." in text
    assert "    night/a/1.png\n" in text and "    and 1 more\n" in text
    # The flags of an experiment are called otherwise here.
    assert "--skip-unreadable" in text and "--dataset." not in text
    assert "1 problem found." in text


def test_verify_ends_with_2_where_there_is_nothing(capsys, tmp_path):
    code, text = run(capsys, "verify", "pacs", "--root", tmp_path / "nowhere")
    assert code == 2 and "No images of 'pacs'" in text and "--dataset." not in text


def test_an_unknown_data_set_is_answered_with_the_nearest(capsys):
    code, text = run(capsys, "verify", "pasc")
    assert code == 2 and "No data set 'pasc'. Did you mean 'pacs'" in text
    assert "digits_glyphs" not in text
    assert run(capsys, "verify", "../pacs")[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["verify"],
        ["verify", "pacs", "--rooot", "x"],
        ["verify", "fmow", "--domains-by", "colour"],
        ["list", "--root", "x"],
        ["check", "pacs"],
    ],
)
def test_what_is_no_command_ends_with_2(capsys, words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert capsys.readouterr().err


def test_prepared_images_are_what_the_cache_reads(capsys, monkeypatch, tmp_path):
    root, out = fill(tmp_path / "in", 16), tmp_path / "out"
    words = ["prepare", "folder", "--out", out, "--size", "8", "--root", root]
    code, text = run(capsys, *words)
    assert code == 0
    assert "12 of 12 images are to be decoded; 2.3 kB needed" in text
    assert "12 of 12 images are prepared" in text and f"--dataset.cache {out}" in flat(text)
    code, text = run(capsys, *words)
    assert code == 0 and "to be decoded" not in text and "all checksums are right" in flat(text)
    monkeypatch.setattr("jaxclr.pipeline.storage.decode", None)
    day, _ = Folder(root=root, cache=str(out)).load().domains
    assert day.images[5].shape == (8, 8, 3)


def test_images_that_were_left_out_are_counted_and_the_flag_for_them_is_told(capsys, tmp_path):
    root = fill(tmp_path / "in")
    (tmp_path / "in" / FILES[0]).write_bytes(b"broken")
    words = ["prepare", "folder", "--out", tmp_path / "out", "--root", root]
    code, text = run(capsys, *words)
    assert code == 1 and FILES[0] in text and "with --skip-unreadable" in text
    code, text = run(capsys, *words, "--skip-unreadable")
    assert code == 0 and "cannot be decoded: 1 of them" in flat(text)
    assert f"--dataset.cache {tmp_path / 'out'} --dataset.skip-unreadable" in flat(text)


def test_by_default_they_go_beside_the_data_sets(capsys, monkeypatch, tmp_path):
    root = fill(tmp_path / "in")
    assert run(capsys, "prepare", "folder", "--root", root)[0] == 0
    assert list(Path("datasets/prepared/folder").glob("*.uint8"))
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path / "shared"))
    assert run(capsys, "prepare", "folder", "--root", root)[0] == 0
    assert list((tmp_path / "shared/prepared/folder").glob("*.uint8"))


def test_a_wrong_checksum_is_told(capsys, tmp_path):
    words = ["prepare", "folder", "--out", tmp_path / "out", "--root", fill(tmp_path / "in")]
    run(capsys, *words)
    path = next((tmp_path / "out/folder").glob("day-*.uint8"))
    path.write_bytes(path.read_bytes()[::-1])
    code, text = run(capsys, *words)
    assert code == 0 and "checksums are wrong: day-" in text
    assert "6 of 12 images are to be decoded" in text


def test_too_small_a_disk_ends_with_2_and_says_how_much_is_needed(capsys, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(prepare.shutil, "disk_usage", lambda _: usage(10, 0, 1000))
    root = fill(tmp_path / "in")
    code, text = run(capsys, "prepare", "folder", "--out", tmp_path / "out", "--root", root)
    assert code == 2 and "2.3 kB are needed, 1.0 kB are free" in text
    assert not (tmp_path / "out").exists()


def test_what_is_made_in_memory_needs_no_preparing(capsys):
    code, text = run(capsys, "prepare", "digits")
    assert code == 2 and "digits needs no preparing" in text


def test_a_failing_disk_ends_with_1(capsys, monkeypatch):
    def failing():
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(datasets, "_list", failing)
    code, text = run(capsys)
    assert code == 1 and "Input/output error" in text


def test_an_interruption_ends_with_130_and_says_how_to_go_on(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "_list", interrupted)
    code, text = run(capsys)
    assert code == 130 and "The same command goes on" in text
