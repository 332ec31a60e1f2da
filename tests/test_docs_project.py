"""What others' programs read of the project: how to cite it, and what runs at every change."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()


def steps(workflow):
    for name, job in yaml.safe_load(workflow.read_text())["jobs"].items():
        assert job["runs-on"] and job["timeout-minutes"] <= 60, name
        for step in job["steps"]:
            yield name, step


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_uses_a_version_of_an_action_or_makes_a_target_that_there_is(workflow):
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.M))
    for name, step in steps(workflow):
        assert ("uses" in step) != ("run" in step), name
        if "uses" in step:
            assert re.fullmatch(r"[\w/-]+@v\d+", step["uses"])
            continue
        for line in step["run"].splitlines():
            program, target, *variables = line.split()
            assert program == "make" and target in targets, line
            assert all(f"\n{v.split('=')[0]} ?=" in MAKEFILE for v in variables), line


def test_oldest_and_newest_python_floor_lint_docs_and_notebooks_are_tried_at_every_change():
    (workflow,) = WORKFLOWS
    made = {step["run"].split()[1] for _, step in steps(workflow) if "run" in step}
    assert made == {"lint", "test", "test-floor", "docs", "notebooks"}
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    oldest, *_, newest = jobs["test"]["strategy"]["matrix"]["python-version"]
    assert PROJECT["requires-python"] == f">={oldest}" and newest > oldest
    (floor,) = (
        s["with"]["python-version"] for n, s in steps(workflow) if n == "floor" and "with" in s
    )
    assert floor == oldest


def test_what_is_cited_is_whole():
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] == "software"
    assert {"title", "message", "authors", "version", "license"} <= CITATION.keys()
    assert (CITATION["version"], CITATION["license"]) == (PROJECT["version"], PROJECT["license"])
    for reference in CITATION["references"]:
        assert set(reference) == {"type", "title", "year", "url", "authors"}
        assert reference["type"] == "article" and isinstance(reference["year"], int)
        assert re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{5}", reference["url"])
        # Numbers of arXiv begin with year and month.
        assert reference["url"].split("/")[-1][:2] == str(reference["year"])[2:]
        assert all({"family-names", "given-names"} == set(a) for a in reference["authors"])


@pytest.mark.parametrize("number", ["2506.20841", "2409.07292", "2508.13596"])
def test_the_three_methods_papers_are_cited(number):
    assert any(number in reference["url"] for reference in CITATION["references"])


def test_every_page_is_on_the_site():
    text = (ROOT / "docs" / "index.md").read_text()
    entries = [
        re.sub(r".*<(.*)>", r"\1", line)
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.M | re.S)
        for line in block.splitlines()
        if line and not line.startswith(":")
    ]
    found = [
        path.resolve()
        for entry in entries
        for suffix in (".md", ".rst", ".ipynb")
        for path in (ROOT / "docs").glob(f"{entry}{suffix}")
    ]
    assert len(found) == len(set(found)), "a page stands in two places"
    pages = {*ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("*.md")}
    there = {*found, ROOT / "docs/index.md"}
    assert not [path.name for path in pages if path.resolve() not in there]
