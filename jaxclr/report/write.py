"""From the folders of runs to that of a report."""

from collections.abc import Callable, Sequence
from pathlib import Path

from jaxclr.report.folder import PAGE, refuse_others, replacing_folder, usual_output
from jaxclr.report.material import Material, gather
from jaxclr.report.page import Section, Shown, Tables, page
from jaxclr.report.pictures import Chapter, Picture, chapters
from jaxclr.report.summary import (
    accuracy_table,
    difference_table,
    measures_table,
    runs_table,
)
from jaxclr.report.table import Table, as_csv, as_latex, as_markdown

DPI = 150
"""Pixels to an inch of the pictures: sharp on fine screens, too."""
FORMATS: dict[str, Callable[[Table], str]] = {"csv": as_csv, "tex": as_latex, "md": as_markdown}


def write_report(
    folders: Sequence[Path], output: Path | None = None, baseline: Path | None = None,
    title: str | None = None,
) -> Path:  # fmt: skip
    """Writes the report of experiments: a page, its figures and its tables.

    Args:
        folders: Of experiments, such as ``runs/digits_fixclr``, or of single runs.
        output: The report's folder; none: ``report`` beside the runs of a single experiment, or
            beside the experiments. An earlier report in it is replaced, whole or not at all.
        baseline: Of the folders, the one that the others are compared with; none: the first.
        title: The page's heading; none: the experiments' names.

    Returns:
        The page, ``index.html``.

    Raises:
        InputError: A folder holds no finished run, or a damaged one; the baseline is not among
            them; the output is another thing than a report.
        OSError: The report cannot be written.
    """
    material = gather(folders, baseline)
    place = usual_output(folders) if output is None else output
    refuse_others(place)
    with replacing_folder(place) as folder:
        tables = _write_tables(material, folder / "tables")
        sections = [_drawn(chapter, folder / "figures") for chapter in chapters(material)]
        _write(folder / PAGE, page(material, tables, sections, title))
    return place / PAGE


def _write_tables(material: Material, folder: Path) -> Tables:
    tables = Tables(accuracy_table(material), difference_table(material), measures_table(material))
    folder.mkdir()
    for name, table in tables._asdict().items():
        for kind, told in FORMATS.items() if table.rows else ():
            _write(folder / f"{name}.{kind}", told(table))
    _write(folder / "runs.csv", as_csv(runs_table(material)))
    return tables


def _write(file: Path, text: str) -> None:
    # Names of files, and so of classes and domains, need not be text.
    file.write_bytes(text.encode(errors="backslashreplace"))


def _drawn(chapter: Chapter, folder: Path) -> Section:
    drawn = [_shown(picture, folder) for picture in chapter.pictures]
    pictures = tuple(shown for shown in drawn if shown is not None)
    return Section(chapter.anchor, chapter.title, () if pictures else (chapter.absent,), pictures)


def _shown(picture: Picture, folder: Path) -> Shown | None:
    """Draws a picture and writes its files; None where there is nothing to show."""
    from jaxclr.report.figures.panels import written

    figure = picture.draw()
    if figure is None:
        return None
    folder.mkdir(exist_ok=True)
    png = written(figure, "png", dpi=DPI)
    # What has found its place need not be laid out again.
    figure.set_layout_engine("none")
    (folder / f"{picture.name}.png").write_bytes(png)
    (folder / f"{picture.name}.svg").write_bytes(written(figure, "svg"))
    width, height = (float(side) for side in figure.get_size_inches())
    return Shown(
        picture.name, picture.title, png, (width, height), picture.alt(), picture.caption,
        picture.listing,
    )  # fmt: skip
