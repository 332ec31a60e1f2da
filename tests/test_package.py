import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_folder_of_modules_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {"jaxclr.data", "jaxclr.experiments"} | {
        ".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("jaxclr/**/*.py")
    }
    assert set(settings["packages"]) == found


def test_every_file_of_a_package_that_is_no_module_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = {
        ROOT.joinpath(*package.split("."), name)
        for package, names in settings["package-data"].items()
        for name in names
    }
    files = {path for path in ROOT.glob("jaxclr/**/*.*") if path.suffix not in (".py", ".pyc")}
    assert listed == files


def test_importing_the_losses_brings_in_no_pipeline_and_no_network():
    """They are for anybody's JAX code: what they need is jax and optax."""
    script = (
        "import sys, jaxclr.losses; "
        "print(*sorted({'flax', 'grain', 'orbax', 'tyro', 'PIL', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.slow
def test_an_installed_copy_runs_from_any_directory(tmp_path):
    """``pip install .`` into a folder of its own; what it needs is taken from this environment."""
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site)]
    subprocess.run([*install, str(ROOT)], check=True)
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r}); "
        "import jaxclr; assert jaxclr.__file__.startswith(sys.path[0]); "
        "from jaxclr.main import main; sys.exit(main())"
    )
    arguments = ("--experiment=digits_fixclr", "--steps", "2", "--targets", "print")
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path, env={**os.environ, "XLA_FLAGS": ""}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/digits_fixclr/table.md").exists()
    assert {"page.html", "page.css"} <= {path.name for path in site.glob("jaxclr/report/*")}
