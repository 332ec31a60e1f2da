import subprocess
import sys

import pytest
from report_runs import draw_only, finish

from jaxclr.report import write
from jaxclr.report.command import main


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    draw_only(monkeypatch)


def told(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr()


def test_several_experiments_have_their_report_beside_them(tmp_path, capsys):
    folders = [finish(tmp_path, name) for name in ("base", "mine")]
    code, said = told(capsys, *folders, "--baseline", folders[1], "--title", "Both")
    page = tmp_path / "report/index.html"
    assert (code, said.out) == (0, f"Report: {page}\n")
    assert "Paired difference to mine" in page.read_text() and "<h1>Both</h1>" in page.read_text()


def test_one_experiment_has_it_beside_its_runs(tmp_path, capsys):
    folder = finish(tmp_path)
    assert told(capsys, folder)[0] == 0
    assert (folder / "report/index.html").exists()
    # Again: an earlier report is no run, and is replaced.
    assert told(capsys, folder)[0] == 0


def test_a_report_may_be_written_here(tmp_path, capsys, monkeypatch):
    folder = finish(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert told(capsys, folder, "--output", ".")[0] == 0
    assert (tmp_path / "here/index.html").exists()


@pytest.mark.parametrize(
    "made, arguments, message",
    {
        "no folder": ([], ["{}/none"], "none is not there"),
        "no finished run": (["base/night/seed1"], ["{}/base"], "holds no finished run"),
        "a baseline from elsewhere": (
            [], ["{}/mine", "--baseline", "{}/other"], "--baseline: {}/other is not among"
        ),
        "an output that is a file": ([], ["{}/mine", "--output", "{}/file"], "file is no folder"),
        "an output with other files": (
            ["full/kept"], ["{}/mine", "--output", "{}/full"], "full holds 'kept'"
        ),
    }.values(),
)  # fmt: skip
def test_bad_input_is_told_and_nothing_is_written(tmp_path, capsys, made, arguments, message):
    finish(tmp_path, "mine")
    (tmp_path / "file").touch()
    for name in made:
        (tmp_path / name).mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    code, said = told(capsys, *(a.format(tmp_path) for a in arguments))
    assert code == 2 and message.format(tmp_path) in said.err, said.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_file_is_named(tmp_path, capsys):
    folder = finish(tmp_path)
    damaged = folder / "night/seed1/tested.npz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    code, said = told(capsys, folder)
    assert code == 2 and str(damaged) in said.err


def test_a_failure_leaves_the_earlier_report_and_nothing_else(tmp_path, capsys, monkeypatch):
    folder = finish(tmp_path)
    told(capsys, folder, "--title", "first")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(write, "page", full)
    code, said = told(capsys, folder, "--title", "second")
    assert code == 1 and "no space left" in said.err
    assert "<h1>first</h1>" in (folder / "report/index.html").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["night", "report"]


def test_it_answers_for_help_without_what_takes_long_to_import():
    script = (
        "import sys; from jaxclr.report.command import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(*{'jax', 'matplotlib', 'sklearn', 'jinja2', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "--baseline" in done.stdout and done.stdout.splitlines()[-1] == ""
