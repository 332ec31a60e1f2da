"""The notebooks are what their scripts say, open on Colab, and run."""

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(ROOT.glob("notebooks/*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADDRESS = PROJECT["urls"]["Repository"]
COLAB = "https://colab.research.google.com/github"

every = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


def cells_of_script(script):
    """The cells of a percent script: their kinds, and their lines without blank ones around."""
    cells = []
    for line in script.read_text().splitlines():
        if line.startswith("# %%"):
            cells.append(("markdown" if line == "# %% [markdown]" else "code", []))
        else:
            cells[-1][1].append(line)
    uncommented = {
        "markdown": lambda line: line.removeprefix("#").removeprefix(" "),
        "code": lambda line: line,
    }
    return [(kind, "\n".join(map(uncommented[kind], lines)).strip()) for kind, lines in cells]


def notebook(script):
    return json.loads(script.with_suffix(".ipynb").read_text())


def cells_of_notebook(script):
    cells = notebook(script)["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]


def test_every_notebook_has_a_script_and_the_other_way_round():
    notebooks = sorted(path.stem for path in ROOT.glob("notebooks/*.ipynb"))
    assert notebooks == [script.stem for script in SCRIPTS]
    assert notebooks == ["eight_tpu_cores", "losses_by_hand", "quickstart", "your_own_data"]


@every
def test_a_notebook_has_the_cells_of_its_script(script):
    assert cells_of_notebook(script) == cells_of_script(script), "run `make notebooks-sync`"


@every
def test_no_outputs_are_stored(script):
    code = [cell for cell in notebook(script)["cells"] if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        assert cell["outputs"] == [] and cell["execution_count"] is None


@every
def test_cells_have_ids_of_their_own(script):
    ids = [cell["id"] for cell in notebook(script)["cells"]]
    assert len(set(ids)) == len(ids)


@every
def test_the_first_cell_opens_the_notebook_on_colab(script):
    repository = ADDRESS.removeprefix("https://github.com/")
    (kind, first), *_ = cells_of_script(script)
    link = f"{COLAB}/{repository}/blob/main/notebooks/{script.stem}.ipynb"
    assert kind == "markdown" and first.startswith("[![Open in Colab]")
    assert first.splitlines()[0].endswith(f"]({link})")


@every
def test_what_is_installed_on_colab_is_this_project_and_jax_is_kept(script):
    code = [text for kind, text in cells_of_script(script) if kind == "code"]
    assert f'"{PROJECT["name"]} @ git+{ADDRESS}"' in code[0]
    assert 'if "google.colab" in sys.modules:' in code[0]
    assert all(f'"{name}"' in code[0] for name in ("jax", "jaxlib", "flax"))
    assert not any('"pip"' in text for text in code[1:])


@every
def test_links_into_the_project_lead_somewhere(script):
    text = "\n".join(text for kind, text in cells_of_script(script) if kind == "markdown")
    found = text.split(f"{ADDRESS}/blob/main/")[1:]
    assert found
    for rest in found:
        assert (ROOT / rest.partition(")")[0]).exists(), rest[:60]


@every
def test_code_cells_compile_one_by_one(script):
    for number, (kind, text) in enumerate(cells_of_script(script)):
        if kind == "code":
            ast.parse(text, f"{script.name}, cell {number}")


@every
@pytest.mark.slow
def test_a_script_runs_as_plain_python_and_without_a_warning(script, tmp_path):
    environment = {
        **os.environ, "JAXCLR_SMALL": "1", "MPLBACKEND": "agg", "XLA_FLAGS": "",
        "DISPLAY": "", "TMPDIR": str(tmp_path),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert not told
