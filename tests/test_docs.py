"""What the project says of itself is true: its examples run, its links lead somewhere."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shell import blocks, files

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])
SOURCES = sorted(
    file for folder in ("jaxclr", "data", "experiments") for file in ROOT.glob(f"{folder}/**/*.py")
)
TESTS = sorted(ROOT.glob("tests/**/*.py"))
MOST_LINES = 300


def named(path):
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else None


def examples():
    for page in PAGES:
        for line, code in blocks(page, "python"):
            yield pytest.param(page, line, code, id=f"{named(page)}:{line + 1}")


def links():
    for page in PAGES:
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
        for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
            if not re.match(r"[a-z]+:", target):
                yield pytest.param(page, target, id=f"{named(page)}->{target}")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def public(tree):
    """A module's public functions and classes, and their public methods."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def unannotated(function):
    a = function.args
    given = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return [x.arg for x in given if x.annotation is None and x.arg not in ("self", "cls")]


def outside_make():
    """These tests may run under `make test ARGS=...`, whose variables are not meant for others."""
    inside = ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "ARGS", "JOBS", "PYTHON")
    return {name: value for name, value in os.environ.items() if name not in inside}


@pytest.mark.parametrize("page, line, code", [*examples()])
def test_examples_run(page, line, code, tmp_path, monkeypatch):
    for name, text in files(page).items():
        (tmp_path / name).write_text(text)
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    # As many empty lines before the code as in the page, so that errors name its lines.
    names = {"__name__": "example"}
    exec(compile("\n" * line + code, str(page), "exec"), names)
    for name, function in names.copy().items():
        if name.startswith("test_"):
            function()


def test_readme_has_examples():
    assert len([case for case in examples() if case.values[0].name == "README.md"]) >= 2


@pytest.mark.parametrize("page, target", [*links()])
def test_links_lead_somewhere(page, target):
    path, _, anchor = target.partition("#")
    there = page.parent / path if path else page
    assert there.exists(), f"{named(page)} links to {target}, which is not there"
    assert not anchor or anchor in anchors(there), f"{named(there)} has no heading #{anchor}"


@pytest.mark.parametrize(
    "target, command",
    {
        "demo": ".venv/bin/python -m jaxclr.main --experiment=digits_fixclr",
        "test": '.venv/bin/python -m pytest -n 2 -m "not slow"',
    }.items(),
)
@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_make_would_run(target, command):
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "--directory", str(ROOT), target],
        env=outside_make(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    steps = [line.strip() for line in done.stdout.splitlines()]
    installs = [i for i, step in enumerate(steps) if ".venv/bin/python -m pip install" in step]
    assert installs and installs[0] < steps.index(command)


def test_the_page_of_experiments_lists_every_one_and_no_other():
    there = {f.stem for f in ROOT.glob("experiments/*.py") if not f.stem.startswith("_")}
    listed = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/experiments.md").read_text(), re.M))
    assert listed == there


def test_every_card_is_described():
    text = (ROOT / "data" / "README.md").read_text()
    for file in ROOT.glob("data/*.py"):
        if re.search(
            r"^class \w+\((Dataset|ImageFolders|ImageFiles|Prepared|Benchmark|Regrouped)\)",
            file.read_text(),
            re.M,
        ):
            assert f"({file.name})" in text


@pytest.mark.parametrize("file", SOURCES, ids=named)
def test_modules_functions_and_classes_say_what_they_are(file):
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree), f"{named(file)} has no docstring"
    silent = [node.name for node in public(tree) if not ast.get_docstring(node)]
    assert not silent, f"{named(file)}: without docstring: {silent}"


@pytest.mark.parametrize("file", SOURCES, ids=named)
def test_arguments_and_results_have_types(file):
    for node in public(ast.parse(file.read_text())):
        if not isinstance(node, ast.ClassDef):
            assert not unannotated(node), f"{named(file)}: {node.name}: {unannotated(node)}"
            assert node.returns is not None, f"{named(file)}: {node.name} returns what?"


@pytest.mark.parametrize("file", [*SOURCES, *TESTS], ids=named)
def test_files_are_short(file):
    assert len(file.read_text().splitlines()) <= MOST_LINES
