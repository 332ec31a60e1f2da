"""The commands in the pages are ones that the programs understand, and those of a tour work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shell import OURS, blocks, commands, files, understood
from test_docs import PAGES, ROOT, outside_make

from jaxclr.main import load_experiment, parse

PAGES = [*PAGES, ROOT / "benchmarks/README.md"]
TOURS = [ROOT / "docs/tutorial.md", ROOT / "README.md"]
WITH_FIELDS = [("-m", f"jaxclr.{name}") for name in ("main", "sweep", "search")]
"""Programs to which every field of an experiment is a flag."""
SHORT = ("--steps", "2", "--eval-every", "2", "--targets", "print", "--seeds", "1")

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Every command of this project in the pages."""
    found = commands(PAGES, tmp_path_factory.mktemp("pages"))
    return [command for command in found if command.words[0] in OURS]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder like the checkout's, with the files that the pages have one write."""
    for name in ("benchmarks", "docs", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    for page in PAGES:
        for name, code in files(page).items():
            (tmp_path / name).write_text(code)
    # Images of the reader's own.
    (tmp_path / "photos").mkdir()
    shutil.copy(ROOT / "docs/digits.png", tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flags_by_experiment(told, monkeypatch):
    """All flags of fields that some command has for an experiment."""
    found = {}
    for words in (command.words for command in told if command.words[1:3] in WITH_FIELDS):
        chosen, rest = understood(words, monkeypatch)
        names = chosen.experiments if "experiments" in chosen else [chosen.experiment]
        for name in names:
            found.setdefault(name, []).extend(x for x in rest if x not in ("-h", "--help"))
    return found


def test_every_field_that_a_command_sets_is_one_of_its_experiment(told, desk, monkeypatch):
    flags = flags_by_experiment(told, monkeypatch)
    assert {"digits_fixclr", "mine.py"} <= flags.keys()
    for name, given in flags.items():
        parse(load_experiment(name), given)


def test_every_other_command_line_is_understood(told, desk, monkeypatch):
    import tyro

    from jaxclr.catalog import card

    for _, words in told:
        # A script that comes from the block itself has no name and no flags.
        if words[0] == "make" or words[1] == "-" or words[1:3] in WITH_FIELDS:
            continue
        if len(words) == 2 or words[1:3] == ("-m", "pytest"):
            named = [x for x in words[1:] if x.endswith(".py")]
            assert named and all(Path(x).exists() for x in named), words
            continue
        chosen, rest = understood(words, monkeypatch)
        if words[2] == "jaxclr.datasets" and chosen.command in ("verify", "prepare"):
            tyro.cli(card(chosen.name), args=rest)
        else:
            assert not rest, f"{' '.join(words)}: what is {rest[0]}?"


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_every_target_and_variable_of_make_is_there(told):
    given = {word for c in told if c.words[0] == "make" for word in c.words[1:]}
    variables = {word.split("=")[0] for word in given if "=" in word}
    assert all(f"\n{name} ?=" in (ROOT / "Makefile").read_text() for name in variables)
    targets = sorted(word for word in given if "=" not in word)
    assert {"demo", "test", "lint"} <= set(targets)
    subprocess.run(
        ["make", "--dry-run", "--directory", str(ROOT), *targets],
        env=outside_make(), capture_output=True, check=True,
    )  # fmt: skip


def test_a_command_with_an_unknown_flag_or_program_is_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nfor x in a b; do\n  python -m jaxclr.report $x \\\n    --best\ndone\n```"
    )
    first, second = commands([page], tmp_path)
    assert first.words == ("python", "-m", "jaxclr.report", "a", "--best")
    assert second.words[3] == "b"
    with pytest.raises(SystemExit):
        understood(first.words, monkeypatch)
    page.write_text("```sh\nrm -rf runs\n```")
    with pytest.raises(AssertionError, match="rm"):
        commands([page], tmp_path)


def test_blocks_of_commands_are_marked_as_such():
    for page in PAGES:
        for language in ("bash", "shell", "console"):
            assert not [*blocks(page, language)], f"{page.name} has a block of {language}, not sh"


@pytest.mark.slow
@pytest.mark.parametrize("page", TOURS, ids=lambda page: page.stem)
def test_the_commands_of_a_tour_work_one_after_the_other(page, desk):
    """With two steps a run, on one target with one seed."""
    place = {**os.environ, "PYTHONPATH": f"{desk}", "XLA_FLAGS": ""}
    for _, words in commands([page], desk):
        if words[0] not in OURS or words[0] == "make" or "PATH" in words:
            continue
        short = SHORT if words[1:3] in WITH_FIELDS else ()
        done = subprocess.run(
            [sys.executable, *words[1:], *short], env=place, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
