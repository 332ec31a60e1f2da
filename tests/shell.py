"""What the shell makes of the commands in the pages, and whether the programs understand them."""

import argparse
import importlib
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

OURS = ("python", ".venv/bin/python", ".venv-bench/bin/python", "make")
"""Commands of this project; what they are given is checked."""
OTHERS = ("cd", "git", "pip", ".venv/bin/pip", "pre-commit", "scontrol", "test", "tfds")
"""Other tools' commands, whose options are not this project's to know."""
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.M | re.S)
SEPARATORS = "\x1e", "\x1f"


class Command(NamedTuple):
    page: str
    words: tuple[str, ...]


class Parsed(Exception):
    """Raised in place of going on, once a command line has been understood."""


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """The page's blocks in a language: the line that each begins after, and its text."""
    text = page.read_text()
    for block in FENCE.finditer(text):
        indent, found, body = block.groups()
        if found == language:
            yield text[: block.start(3)].count("\n"), re.sub(f"^{indent}", "", body, flags=re.M)


def files(page: Path) -> dict[str, str]:
    """The Python files that a page has one write: their first line is their name in a comment."""
    named = {}
    for _, code in blocks(page, "python"):
        if name := re.match(r"# (\w+\.py)\n", code):
            named[name[1]] = code
    return named


def commands(pages: Sequence[Path], folder: Path) -> list[Command]:
    """All commands of the pages' ``sh`` blocks, as bash comes to them; none of them is run."""
    record, word = SEPARATORS
    script = [
        "PATH=",
        f"record() {{ local IFS=$'{word}'; printf '%s' \"$page{word}$*{record}\"; }}",
        # What they are given is a command itself.
        'srun() { while [[ $1 == -* ]]; do shift; done; "$@"; }',
        'gcloud() { local x; for x; do [[ $x != --command=* ]] || eval "${x#*=}"; done; }',
        *(f'function {name} {{ record {name} "$@"; }}' for name in (*OURS, *OTHERS)),
    ]
    for page in pages:
        for _, text in blocks(page, "sh"):
            # A notebook's cells have commands behind exclamation marks.
            script += [f"page={page.name}", re.sub(r"^!", "", text, flags=re.M)]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=folder, capture_output=True, text=True
    )
    assert not done.stderr, done.stderr
    told = [line.split(word) for line in done.stdout.split(record)[:-1]]
    return [Command(page, tuple(words)) for page, *words in told]


def understood(words: Sequence[str], monkeypatch) -> tuple[argparse.Namespace, list[str]]:
    """What the program's own parser makes of ``python ...``, and the words that it leaves over.

    The program is started, but ends where it has read its command line.
    """
    depth = 0

    def first_to_end(method):
        def parse(self, *args, **kwargs):
            nonlocal depth
            depth += 1
            try:
                found = method(self, *args, **kwargs)
            finally:
                depth -= 1
            if depth:
                return found
            raise Parsed(found)

        return parse

    kind = argparse.ArgumentParser
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [*words[1:]])
        patch.setattr(kind, "parse_known_args", first_to_end(kind.parse_known_args))
        patch.setattr(kind, "parse_args", first_to_end(kind.parse_args))
        try:
            _start(words)
        except Parsed as parsed:
            found = parsed.args[0]
            return found if isinstance(found, tuple) else (found, [])
    raise AssertionError(f"{' '.join(words)} reads no command line")


def _start(words: Sequence[str]) -> None:
    if words[1] != "-m":
        before = set(sys.modules)
        sys.path.insert(0, str(Path(words[1]).parent))
        try:
            runpy.run_path(words[1], run_name="__main__")
        finally:
            # Its neighbours are nobody else's.
            neighbours = {file.stem for file in Path(sys.path.pop(0)).glob("*.py")}
            for name in neighbours - before:
                sys.modules.pop(name, None)
        return
    module = importlib.import_module(words[2])
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{words[2]}.__main__")
    module.main(words[3:])
