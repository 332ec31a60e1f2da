"""CONTRIBUTING.md suffices: what it says to write, and no more, makes the tests it names pass.

In a copy of the repository one of everything is added, and what the text says is run.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RECIPES = re.findall(
    r"^\| (\w+) \| `(python -m .*)` \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.M
)

LOSS = '''"""How sure a network is."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num


def certainty(logits: Num[Array, "b k"]) -> Float[Array, " b"]:
    """How much the likeliest class falls short of certainty, in [0, 1 - 1/k].

    Args:
        logits: Of any float type; computed in float32.

    Returns:
        One value per example.

    References:
        Made up here.
    """
    return 1 - jax.nn.softmax(logits.astype(jnp.float32)).max(-1)
'''
METHOD = '''"""FixMatch that also wants to be sure."""

import dataclasses

from jaxtyping import Array, Float

from jaxclr.losses import certainty
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Method, Term, needed, over_domains
from jaxclr.types import Outputs


@dataclasses.dataclass(frozen=True)
class Certainty(Term):
    """What strong views fall short of certainty."""

    reads = ("strong",)

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value, in [0, number of domains]."""
        strong = needed(outputs.strong, "a pass over strong views")
        return over_domains(outputs, certainty(strong.logits))


def sure(*, weight: float = 0.1) -> Method:
    """Adds certainty to FixMatch.

    Args:
        weight: Factor of the term.
    """
    return fixmatch().plus(certainty=Certainty(weight))
'''
BACKBONE = '''"""One layer."""

import dataclasses
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from jaxclr.models.network import Model


class Layer(nnx.Module):
    """Weighted sums of the mean color, and a ReLU."""

    def __init__(self, width: int, dtype: Any):
        self.sums = nnx.Linear(3, width, dtype=dtype, rngs=nnx.Rngs(0))

    def __call__(
        self, x: Float[Array, "b h w 3"], *, groups: int, train: bool
    ) -> Float[Array, "b d"]:
        """Features, which no batch norm touches."""
        return jax.nn.relu(self.sums(x.mean((1, 2))))


@dataclasses.dataclass(frozen=True)
class Color(Model):
    """Sees the mean color."""

    width: int = 8
    """Of the features."""

    def layers(self, dtype: Any) -> tuple[nnx.Module, int]:
        """The flax module."""
        return Layer(self.width, dtype), self.width
'''
DATASET = '''"""Two things in three places."""

import dataclasses

from jaxclr.pipeline.source import ImageFolders


@dataclasses.dataclass(frozen=True)
class Places(ImageFolders):
    """Images of 2 classes in 3 domains.

    How to get it: not at all.

    License: none.
    """

    domains = ("desert", "forest", "town")
    classes = ("cat", "dog")
    how_to_get = "It was made up for a test."
'''
EXPERIMENT = '''"""FixMatch with certainty on the embedded digits, seen by their color alone.

Command: ``python -m jaxclr.main --experiment=digits_sure``
Cost: seconds.
Accuracy on held-out domains, %: not measured.
"""

from jaxclr.data.digits import Digits
from jaxclr.experiment import Experiment
from jaxclr.methods.sure import sure
from jaxclr.models.color import Color
from jaxclr.pipeline.augment import digits


def experiment() -> Experiment:
    """Every target with seed 1."""
    return Experiment(
        name="digits_sure",
        dataset=Digits(),
        model=Color(),
        method=sure(),
        augment=digits(),
        seeds=(1,),
        steps=20,
    )
'''
FILES = {
    "jaxclr/losses/certainty.py": LOSS,
    "jaxclr/methods/sure.py": METHOD,
    "jaxclr/models/color.py": BACKBONE,
    "data/places.py": DATASET,
    "experiments/digits_sure.py": EXPERIMENT,
    "tests/losses/test_certainty.py": '''import jax.numpy as jnp

from jaxclr.losses import certainty


def test_of_equal_classes_each_falls_short_by_the_others():
    assert jnp.allclose(certainty(jnp.zeros((2, 4))), 3 / 4)
''',
    "tests/methods/test_sure.py": '''import jax
from outcomes import outcome

from jaxclr.methods.sure import Certainty


def test_it_is_the_sum_of_the_domains_means():
    result = outcome()
    short = 1 - jax.nn.softmax(result.strong.logits).max(-1)
    assert abs(Certainty()(result) - sum(short[i::2].mean() for i in range(2))) < 1e-6
''',
    "tests/models/test_color.py": '''from jaxclr.models.color import Color


def test_it_has_one_layer_and_a_head():
    assert Color().build(2, seed=0).params["backbone"]["sums"]["kernel"].shape == (3, 8)
''',
    "tests/data/test_places.py": '''from jaxclr.data.places import Places


def test_it_has_three_domains():
    assert len(Places.domains) == 3
''',
}  # fmt: skip
ROWS = {
    "jaxclr/losses/__init__.py": [
        ("from jaxclr.losses.classification", "from jaxclr.losses.certainty import certainty\n"),
        ('    "cosine_distance"', '    "certainty",\n'),
    ],
    "docs/losses.md": [
        ("| [mean]", "| certainty, `certainty(logits)` | `certainty` | made up | ours |\n"),
        ("## Symbols", "The term `Certainty`.\n\n"),
    ],
    "tests/methods/test_method.py": [
        ("from jaxclr.methods.uplm", "from jaxclr.methods.sure import Certainty, sure\n"),
        ("    Method, Supervised,", "    Certainty,\n"),
        ("    erm(),\n", "    sure(),\n"),
    ],
    "data/README.md": [
        ("| [`folder.py`]", "| [`places.py`](places.py) | 2 x 3 | no way | none | folders |\n")
    ],
    "docs/experiments.md": [("| `digits_uplm`", "| `digits_sure` | certainty |\n")],
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The repository with one more of everything."""
    root = tmp_path_factory.mktemp("copy") / "jaxclr"
    unwanted = shutil.ignore_patterns(".*", "runs", "datasets", "build", "_build", "__pycache__")
    shutil.copytree(ROOT, root, ignore=unwanted)
    # Installed, they are there; see pyproject.toml.
    for name in ("data", "experiments"):
        (root / "jaxclr" / name).symlink_to(root / name)
    for name, text in FILES.items():
        (root / name).write_text(text)
    for name, rows in ROWS.items():
        text = (root / name).read_text()
        for before, row in rows:
            assert text.count(before) >= 1, f"{name} has no {before!r}"
            text = text.replace(before, row + before, 1)
        (root / name).write_text(text)
    return root


def python(copy, command):
    """Runs ``python -m ...`` in the copy."""
    return subprocess.run(
        [sys.executable, *shlex.split(command)[1:]],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what, command", RECIPES)
def test_what_the_recipe_says_to_write_passes_the_tests_that_it_names(copy, what, command):
    for sample in ("<topic>", "<paper>", "<name>", "<data>_<method>"):
        of = {"loss": "certainty", "method": "sure", "dataset": "places", "backbone": "color"}
        command = command.replace(sample, of.get(what, "digits_sure"))
    done = python(copy, command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_what_was_added_passes_the_quick_lint_and_is_what_runs(copy):
    if shutil.which("ruff", path=Path(sys.executable).parent):
        done = python(copy, "python -m ruff check " + " ".join(FILES))
        assert done.returncode == 0, done.stdout
    done = python(copy, "python -c 'import jaxclr.data.places as x; print(x.__file__)'")
    assert done.stdout.startswith(str(copy)), done.stderr


def test_there_is_a_recipe_of_everything():
    assert [what for what, _ in RECIPES] == ["loss", "method", "dataset", "backbone", "experiment"]
