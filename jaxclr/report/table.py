"""Tables of a report, and how CSV, LaTeX and Markdown have them."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

NOTHING = "-"
"""What a cell without a figure shows."""

LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$",
}  # fmt: skip
"""Signs that LaTeX takes for something else, or does not have in every font."""


class Table(NamedTuple):
    """Cells as they are shown: a name in the first column, figures in the others."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def as_csv(table: Table) -> str:
    """The table as comma-separated values, quoted where need be."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([table.header, *table.rows])
    return file.getvalue()


def as_markdown(table: Table) -> str:
    """The table as GitHub's Markdown; signs in names stay what they are."""
    rule = ("---", *["---:"] * (len(table.header) - 1))
    rows = (_each(table.header, _markdown), rule, *(_each(row, _markdown) for row in table.rows))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def as_latex(table: Table) -> str:
    r"""The table as a ``tabular`` that needs the package ``booktabs`` and no other."""
    columns = "l" + "r" * (len(table.header) - 1)
    rows = [" & ".join(_each(row, _latex)) + r" \\" for row in (table.header, *table.rows)]
    lines = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{columns}}}",
        *(r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"),
        r"\end{tabular}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _each(cells: Sequence[str], told: Callable[[str], str]) -> list[str]:
    return [told(" ".join(cell.split())) for cell in cells]


def _markdown(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    # Within a word an underscore is one.
    return re.sub(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def _latex(text: str) -> str:
    if text == NOTHING:
        return "--"
    # A hyphen in front of a number is a minus.
    parts = re.split(r"(?<![\w.])-(?=\d)", text)
    return "$-$".join("".join(LATEX.get(sign, sign) for sign in part) for part in parts)
