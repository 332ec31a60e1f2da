import re
from html.parser import HTMLParser

import pytest
from report_runs import CLASSES, draw_only, finish

from jaxclr.report import write_report

EVIL = ("<script>alert(1)</script>", 'a & "b"', "it's")


class Reader(HTMLParser):
    """What is in a page: tags with their attributes, and the text in them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], [], []
        self.feed(text)
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "wbr"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] == ["style"]:
            return
        if self.tags and self.tags[-1][0] == "wbr":
            data = self.text.pop() + data
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        finish(workdir, "base", seed=seed, accuracy=60.0)
        finish(workdir, "mine", seed=seed, accuracy=60.0 + seed, weight=0.5)
    return [workdir / "base", workdir / "mine"]


@pytest.fixture(scope="module")
def report(folders):
    return write_report(folders)


@pytest.fixture(scope="module")
def page(report):
    return Reader(report.read_text())


@pytest.fixture
def undrawn(monkeypatch):
    draw_only(monkeypatch)


def test_the_page_needs_no_other_file_and_no_network(page):
    for name, attributes in page.tags:
        assert name not in ("script", "iframe", "object", "embed", "base", "form")
        for attribute in ("src", "href", "srcset", "action", "poster"):
            if (address := attributes.get(attribute)) is not None:
                assert address.startswith(("#", "data:")), f"{name} {attribute}={address}"
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
    assert "url(" not in str(page.all("style")) and "@import" not in page.words


def test_every_picture_says_its_main_figures_and_has_a_caption(page):
    images = page.all("img")
    assert len(images) >= 9 and len(page.all("figcaption")) == len(images)
    for image in images:
        assert re.search(r"\d", image["alt"]) and "{" not in image["alt"], image["alt"]
        assert "None" not in image["alt"] and int(image["width"]) > 300
    accuracy = next(image["alt"] for image in images if image["alt"].startswith("Accuracy over"))
    assert "night: base 60.0 %, mine 61.5 %" in accuracy


def test_the_contents_lead_to_every_heading(page):
    targets = [attributes["id"] for attributes in page.all("h2")]
    links = [a["href"] for a in page.all("a") if "class" not in a]
    assert links == [f"#{target}" for target in targets]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_tells_the_difference_and_what_its_interval_means(page):
    # Differences of 1 and 2: mean 1.5, half an interval t(1) sd / sqrt(2) = 12.706 * 0.5.
    assert "mine +1.5 -4.9 to +7.9 2" in page.words
    assert "Student's t" in page.words and "independent" in page.words


def test_settings_that_differ_are_marked_in_the_code(page):
    assert "method.terms.consistency.weight 1.0 0.5" in page.words
    assert len(page.all("mark")) == 2 * len(("name", "weight"))


def test_every_figure_and_table_is_a_file_too(report, page):
    stems = {file.stem for file in (report.parent / "figures").glob("*.png")}
    assert stems == {file.stem for file in (report.parent / "figures").glob("*.svg")}
    assert stems == {attributes["id"] for attributes in page.all("figure")}
    tables = {file.name for file in (report.parent / "tables").iterdir()}
    names = ("accuracy", "difference", "measures")
    assert tables == {f"{n}.{kind}" for n in names for kind in ("csv", "md", "tex")} | {"runs.csv"}


def test_two_reports_of_the_same_runs_are_the_same_bytes(folders, tmp_path, monkeypatch):
    draw_only(monkeypatch, "losses_over_steps", "mistakes_2")
    one, other = (files_of(write_report(folders, tmp_path / name)) for name in ("one", "other"))
    assert {"index.html", "figures/mistakes_2.png", "figures/losses_over_steps.svg"} <= one.keys()
    assert one == other


def files_of(page):
    """The bytes of every file of a report."""
    files = (path for path in page.parent.rglob("*") if path.is_file())
    return {path.relative_to(page.parent).as_posix(): path.read_bytes() for path in files}


def test_names_that_are_no_text_are_spelled_out_in_every_file(tmp_path, monkeypatch):
    draw_only(monkeypatch, "confusion", "mistakes_1")
    folder = finish(tmp_path, classes=("circle", "cro\udcff", "stripes"))
    files = files_of(write_report([folder]))
    assert b"accuracy of cro\\udcff" in files["tables/runs.csv"]
    assert b"cro\\udcff" in files["index.html"]


def test_names_are_text_wherever_they_stand(tmp_path, monkeypatch):
    draw_only(monkeypatch, "confusion", "mistakes_1")
    folder = finish(tmp_path, classes=EVIL, dataset="<b>data</b>")
    text = write_report([folder], title="<i>title</i>").read_text()
    page = Reader(text)
    assert page.all("script") == [] and page.all("b") == [] and page.all("i") == []
    assert "<script>alert(1)</script>" in page.words and "<b>data</b>" in page.words
    assert page.all("title") == [{}] and "&lt;i&gt;title" in text


def test_one_run_of_one_experiment_has_a_report_without_comparisons(tmp_path, undrawn):
    folder = finish(tmp_path)
    page = write_report([folder / "night/seed1"])
    assert page == folder / "night/seed1/report/index.html"
    words = Reader(page.read_text()).words
    assert "There is one seed" in words and "Paired difference" not in words
    assert "±" not in (page.parent / "tables/accuracy.md").read_text()


def test_a_single_pair_is_said_to_have_no_interval(tmp_path, undrawn):
    folders = [finish(tmp_path, name) for name in ("base", "mine")]
    words = Reader(write_report(folders).read_text()).words
    assert "A single pair has no interval." in words and "mine +0.0 - 1" in words


def test_what_cannot_be_drawn_of_old_runs_is_left_out_with_a_reason(tmp_path):
    folder = finish(tmp_path, old=True, guesses=False)
    page = Reader(write_report([folder]).read_text())
    drawn = {attributes["id"] for attributes in page.all("figure")}
    assert drawn == {"accuracy_over_steps", "losses_over_steps", "geometry"}
    for reason in ("No run makes pseudo-labels.", "No run kept", "Without tested.npz"):
        assert reason in page.words


def test_mistakes_are_listed_with_the_names_of_their_files_even_if_they_are_no_text(page):
    assert re.search(r"night/\d\d\\udcff\.png (circle|cross|stripes) ", page.words)


def test_classes_of_each_run_are_shown_by_their_names(page):
    assert all(name in page.words for name in CLASSES)
