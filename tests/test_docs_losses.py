"""The pages on losses tell of every loss what the code does, and the pictures are drawn by it."""

import ast
import dataclasses
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaxclr.losses
import jaxclr.methods
from jaxclr.methods.fixclr import Repulsion
from jaxclr.methods.method import Labeler, Term

ROOT = Path(__file__).parent.parent
# All but the page on other libraries' training loops, which has no formula.
PAGES = sorted({*ROOT.glob("docs/losses*.md")} - {ROOT / "docs" / "losses-elsewhere.md"})
ENTRY = (ROOT / "docs" / "losses.md").read_text()
LABELERS = (ROOT / "docs" / "losses-labelers.md").read_text()
ALL = "\n".join(page.read_text() for page in PAGES)
STANDINGS = (
    "the paper's", "the papers'", "the authors' code's", "our reconstruction", "our primitive",
    "ours", "the usual definition",
)  # fmt: skip
# GitHub does not render these.
FORBIDDEN = ("operatorname", "mbox", "phantom", "newcommand", "def")


def rows(text, columns):
    """The cells of every table row of so many columns."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == columns and not set(line) <= set("|-"):
            yield cells


def signature(name):
    """The call as a page writes it, without types."""
    given = inspect.signature(getattr(jaxclr.losses, name)).parameters.values()
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in given]
    return f"{name}{inspect.Signature(bare)}".replace("'", '"')


def settings_of(kind):
    """Every concrete subclass in the methods' files."""
    for module in pkgutil.iter_modules(jaxclr.methods.__path__, "jaxclr.methods."):
        for thing in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(thing) and issubclass(thing, kind) and not inspect.isabstract(thing):
                yield thing.__name__


@pytest.fixture(scope="module")
def drawing():
    """docs/plot_losses.py."""
    spec = importlib.util.spec_from_file_location("plot_losses", ROOT / "docs" / "plot_losses.py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules["plot_losses"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", jaxclr.losses.__all__)
def test_every_loss_has_a_row_that_says_whose_it_is(name):
    found = [cells for cells in rows(ENTRY, 4) if cells[1] == f"`{name}`"]
    assert len(found) == 1, f"{name} has no row, or more than one, in the table"
    assert found[0][3].startswith(STANDINGS), f"{name}: whose is it?"


@pytest.mark.parametrize("name", jaxclr.losses.__all__)
def test_every_loss_is_described_with_its_arguments_and_defaults(name):
    assert f"`{signature(name)}`" in " ".join(ALL.split())


@pytest.mark.parametrize("name", jaxclr.losses.__all__)
def test_every_loss_lists_its_arguments_and_says_what_it_returns(name):
    loss = getattr(jaxclr.losses, name)
    arguments = inspect.getdoc(loss).split("Args:\n")[1].split("\nReturns:\n")[0]
    assert re.findall(r"^    (\w+):", arguments, re.M) == [*inspect.signature(loss).parameters]


@pytest.mark.parametrize("kind, text", [(Term, ALL), (Labeler, LABELERS)])
def test_every_term_and_every_labeler_is_described(kind, text):
    names = set(settings_of(kind))
    assert len(names) > 8
    assert not [name for name in sorted(names) if f"`{name}`" not in text]


def test_settings_of_fixclr_have_the_defaults_of_the_code():
    told = dict(re.findall(r"^\| `(\w+)` \| `?([^\s`:|]+)", ENTRY, re.M))
    for field in dataclasses.fields(Repulsion):
        assert ast.literal_eval(told[field.name]) == field.default, field.name


def test_labelers_have_the_defaults_of_their_methods():
    checked = 0
    for method, _, _, defaults, _ in rows(LABELERS, 5):
        for name, value in re.findall(r"`(\w+)=([^`]+)`", defaults):
            of = re.search(r"`(\w+)`", method)[1]
            maker = getattr(importlib.import_module(f"jaxclr.methods.{of}"), of)
            default = inspect.signature(maker).parameters[name].default
            assert ast.literal_eval(value) == default, f"{of}: {name}"
            checked += 1
    assert checked > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_is_there_and_small(page):
    pictures = [page.parent / p for p in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text())]
    assert len(pictures) == (2 if page.name == "losses.md" else 0)
    assert all(picture.exists() for picture in pictures)
    assert sum(picture.stat().st_size for picture in pictures) < 1_500_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_formulas_are_such_as_github_renders(page):
    text = page.read_text()
    blocks = re.findall(r"^```math\n(.*?)^```", text, re.M | re.S)
    prose = re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    inline = re.findall(r"\$([^$]+)\$", prose)
    assert blocks and inline and prose.count("$") == 2 * len(inline)
    for formula in [*blocks, *inline]:
        assert formula.count("{") == formula.count("}")
        assert not set(re.findall(r"\\([a-z]+)", formula)) & set(FORBIDDEN), formula
    for formula in inline:
        # What Markdown takes for an escape, for emphasis or for a tag.
        assert not re.search(r"\\[^a-zA-Z]|(^|\W)_|[*<\n|]", formula), formula


def loss_in_float64(degrees, temperature):
    """FixCLR's term on the toy, as loops over classes and domains."""
    angle = np.deg2rad(degrees)
    losses = []
    for j in range(3):
        for i in range(3):
            others = [c for c in range(3) if c != j]
            apart = [angle[j, a] - angle[c, i] for a in range(3) for c in others]
            losses.append(np.log1p(np.exp((np.cos(apart) - 1) / temperature).sum()))
    return np.mean(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_arrows_of_fixclr_are_minus_the_slopes_of_its_formula(drawing, temperature):
    panel = next(p for p in drawing.panels() if p.title == f"FixCLR, T = {temperature}")
    slopes, step = np.zeros(9), 1e-4
    for i in range(9):
        up, down = drawing.DEGREES.copy(), drawing.DEGREES.copy()
        up.flat[i] += step
        down.flat[i] -= step
        rise = loss_in_float64(up, temperature) - loss_in_float64(down, temperature)
        slopes[i] = rise / np.deg2rad(2 * step)
    np.testing.assert_allclose(drawing.forces(panel), -slopes, rtol=1e-3, atol=1e-5)


def test_arrows_of_fixclr_part_the_nearest_two_classes(drawing):
    pairs = [
        (abs(a - b), i, j)
        for i, a in enumerate(drawing.DEGREES.flat)
        for j, b in enumerate(drawing.DEGREES.flat)
        if a < b and drawing.LABEL[i] != drawing.LABEL[j]
    ]
    _, lower, upper = min(pairs)
    fixclr = [panel for panel in drawing.panels() if panel.title.startswith("FixCLR")]
    assert len(fixclr) == 5
    for panel in fixclr:
        force = drawing.forces(panel)
        assert force[lower] < 0 < force[upper], panel.title


def test_arrows_of_views_of_one_image_point_at_each_other(drawing):
    panel = next(p for p in drawing.panels() if p.title.startswith("NT-Xent"))
    force = drawing.forces(panel)
    assert len(panel.joined) == 9
    for one, other in panel.joined:
        assert panel.degrees[one] < panel.degrees[other]
        assert force[one] > 0 > force[other]


def test_arrows_of_preservation_contract_each_class(drawing):
    panel = next(p for p in drawing.panels() if p.title.endswith("local preservation"))
    force = drawing.forces(panel).reshape(3, 3)
    assert (force[:, 0] > 0).all() and (force[:, 2] < 0).all()


def test_profiles_are_the_closed_forms(drawing):
    cosine = np.linspace(-0.9, 0.9, 7)
    told = drawing.weight_of_pair(jnp.asarray(cosine), 0.2)
    np.testing.assert_allclose(told, 1 / (0.2 * (1 + np.exp((1 - cosine) / 0.2))), rtol=1e-3)

    degrees, dof, scale2 = np.arange(5.0, 180, 5), 3.0, 0.5
    squared = 2 - 2 * np.cos(np.deg2rad(degrees))
    gaussian = np.exp(-squared / (2 * scale2))
    student = (1 + squared / (dof * scale2)) ** (-(dof + 1) / 2)
    lead = gaussian / gaussian.sum() - student / student.sum()
    force = -lead * (dof + 1) * np.sqrt(squared) / (dof * scale2 + squared)
    told = drawing.force_of_calibration(degrees, dof)
    np.testing.assert_allclose(told, force, rtol=1e-3, atol=1e-5)
    assert force[0] < 0 < force[-1]
