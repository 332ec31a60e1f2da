"""The site of the documentation: ``make docs``.

The root of the repository is the source folder, so that the links and pictures of its pages lead
to the same places here as they do where the pages are read as plain Markdown.
"""

import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent

project = "jaxclr"
author = "The jaxclr authors"
project_copyright = author
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = [
    "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]  # fmt: skip
root_doc = "docs/index"
include_patterns = [
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md", "benchmarks/README.md",
    "docs/**.md", "docs/**.rst", "notebooks/**.ipynb",
]  # fmt: skip
exclude_patterns = ["docs/_*", "build", "runs", "datasets", ".*", "**/.ipynb_checkpoints"]
nitpicky = True

# GitHub's Markdown: formulas in dollars or in blocks of their own, and anchors by headings.
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4
# Notebooks are shown as they lie there.
nb_execution_mode = "off"

napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
# Shapes stand in the signature, as in the code; long ones take a line for every argument.
autodoc_typehints = "signature"
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
# Names of other projects lead nowhere without a network; all of this project's must lead somewhere,
# but for type variables, which are no objects of autodoc's.
suppress_warnings = ["ref.python"]  # Two modules may use one name; signatures name neither.
nitpick_ignore_regex = [("py:.*", r"(?!jaxclr\.).*"), ("py:class", r".*\.[A-Z]")]

html_theme = "furo"
html_title = "jaxclr"
templates_path = [str(ROOT / "docs/_templates")]
# The first page of the folder leads to that of the site.
html_additional_pages = {"index": "first.html"}
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Registers what is done to docstrings and signatures."""
    told: dict[str, list[str]] = {}

    def keep(app: Sphinx, what: str, name: str, *others: object) -> None:
        if what in ("attribute", "data", "property"):
            told[name] = list(others[-1])

    def restore(app: Sphinx, what: str, name: str, *others: object) -> None:
        others[-1][:] = told.pop(name, others[-1])

    # Napoleon takes what stands before the first colon of a field's docstring for its type.
    app.connect("autodoc-process-docstring", keep, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)
    app.connect("autodoc-process-signature", _short_names)


def _short_names(
    app: Sphinx, what: str, name: str, obj: object, options: object,
    signature: str | None, result: str | None,
) -> tuple[str | None, str | None]:  # fmt: skip
    """Arrays by the name that code knows them by."""
    signature, result = (
        text and text.replace("jaxlib._jax.Array", "Array") for text in (signature, result)
    )
    return signature, result
