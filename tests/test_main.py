"""The command line, from argv to the table."""

import json
from pathlib import Path

import pytest
from PIL import Image
from toy import DOMAINS, Toy

from jaxclr.main import load_experiment, main

TOY = str(Path(__file__).with_name("toy.py"))


def run(workdir, *arguments, experiment=TOY) -> int:
    return main([f"--experiment={experiment}", f"--workdir={workdir}", "--no-report", *arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs")
    assert run(workdir) == 0
    return workdir / "toy"


def test_every_target_leaves_its_results(finished):
    for target in DOMAINS:
        folder = finished / target / "seed1"
        results = json.loads((folder / "results.json").read_text())
        assert (results["experiment"], results["target"], results["seed"]) == ("toy", target, 1)
        assert results["steps"] == 6
        assert 0 <= results["accuracy"] <= 100
        assert sum(results["accuracy_per_class"]) / 3 == pytest.approx(results["accuracy"])
        assert 0 <= results["pseudo_label_keep_rate"] <= 100
        assert results["seconds"] > 0
        assert results["images_per_second"] > 0
        assert results["versions"]["jax"]
        assert {"source_accuracy", "pseudo_label_accuracy", "git_commit"} <= results.keys()
        assert {path.name for path in (folder / "checkpoints").iterdir()} == {"3", "6"}


def test_the_metrics_are_of_every_window_and_evaluation(finished):
    text = (finished / "day/seed1/metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [2, 3, 4, 6]
    assert [line["step"] for line in lines if "accuracy" in line] == [3, 6]
    for line in lines:
        if "loss" in line:
            terms = line["supervised"] + line["consistency"] + 0.3 * line["repulsion"]
            assert line["loss"] == pytest.approx(terms, rel=1e-5)


def test_the_split_is_in_the_benchmarks_format(finished):
    split = json.loads((finished / "night/seed1/night_nlab18_seed1.json").read_text())
    assert len(split["train_x"]) == 18
    assert len(split["train_u"]) == 2 * 36 - 18
    assert {record[2] for record in split["train_x"]} == {"day", "dusk"}


def test_the_experiment_is_written_as_code_that_equals_it(finished):
    text = (finished / "day/seed1/experiment.txt").read_text()
    experiment = load_experiment(TOY)
    names = {}
    for line in text.splitlines():
        if line.startswith("# from"):
            exec(line.removeprefix("# "), names)
    assert eval(text, names) == experiment


def test_the_table_holds_every_target(finished):
    table = json.loads((finished / "table.json").read_text())
    for target in DOMAINS:
        accuracy = json.loads((finished / target / "seed1/results.json").read_text())["accuracy"]
        assert table["targets"][target]["mean"] == accuracy
    assert (finished / "table.md").read_text().startswith("| experiment | day | dusk | night |")


def test_a_finished_run_is_not_run_again(finished, capsys):
    before = (finished / "day/seed1/results.json").stat().st_mtime_ns
    assert run(finished.parent) == 0
    assert "3 of 3 runs are finished already" in capsys.readouterr().out
    assert (finished / "day/seed1/results.json").stat().st_mtime_ns == before


def test_another_experiment_in_the_same_folder_is_refused_and_says_what_differs(finished, capsys):
    assert run(finished.parent, "--method.terms.repulsion.temperature", "0.3") == 2
    error = capsys.readouterr().err
    assert "method.terms.repulsion.temperature: 0.2 there, 0.3 here" in error
    assert "--workdir" in error


def test_progress_and_the_time_of_the_whole_table_are_told(tmp_path, capsys):
    assert run(tmp_path, "--targets", "dusk") == 0
    out = capsys.readouterr().out
    assert "toy dusk seed 1" in out
    assert "The whole table (1 runs, 6 steps) takes about" in out
    assert "images/s" in out
    assert str(tmp_path / "toy") in out.replace("\n", "")


def test_the_table_takes_in_what_earlier_commands_finished(tmp_path):
    assert run(tmp_path, "--targets", "day", "--steps", "1") == 0
    assert run(tmp_path, "--targets", "night", "--steps", "1") == 0
    table = json.loads((tmp_path / "toy/table.json").read_text())
    assert list(table["targets"]) == ["day", "night"]


def test_one_domain_alone_is_refused(tmp_path, capsys):
    make_folder(tmp_path / "images", domains=1)
    root = ("--dataset.root", str(tmp_path / "images"))
    assert run(tmp_path, *root, experiment="folder_fixclr") == 2
    assert "day" in told(capsys)


def told(capsys) -> str:
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text


def test_an_unknown_experiment_is_answered_with_the_nearest(tmp_path, capsys):
    assert run(tmp_path, experiment="digits_fixclir") == 2
    assert "Did you mean 'digits_fixclr'" in told(capsys)


def test_no_experiment_is_answered_with_all_there_are(capsys):
    assert main([]) == 2
    assert "pacs_fixmatch" in told(capsys)


def test_a_missing_file_is_named(tmp_path, capsys):
    assert run(tmp_path, experiment=str(tmp_path / "mine.py")) == 2
    assert "mine.py" in told(capsys)


def test_an_unknown_field_is_answered_with_the_nearest(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        run(tmp_path, "--stepz", "3")
    assert stop.value.code == 2
    assert "--steps" in capsys.readouterr().err


def test_a_target_that_is_no_domain_is_answered_with_the_nearest(tmp_path, capsys):
    assert run(tmp_path, "--targets", "nigth") == 2
    assert "Did you mean 'night'? Allowed: day, dusk, night" in told(capsys)


def test_more_labels_than_there_are_is_refused(tmp_path, capsys):
    assert run(tmp_path, "--labels-per-class", "13") == 2
    assert "12 training images of class 'circle'" in told(capsys)


def test_a_domain_smaller_than_its_batch_is_refused(tmp_path, capsys):
    assert run(tmp_path, "--batch-per-domain", "16") == 2
    assert "has 9 labeled images, but a batch takes 16" in told(capsys)


def test_a_split_that_names_missing_files_is_refused(tmp_path, capsys):
    records = {"train_x": [["dusk/circle/99.png", 0, "dusk"]], "train_u": []}
    (tmp_path / "day_nlab18_seed1.json").write_text(json.dumps(records))
    assert run(tmp_path, "--targets", "day", "--splits", str(tmp_path)) == 2
    assert "dusk/circle/99.png" in told(capsys)


def test_a_workdir_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(tmp_path / "file") == 1
    assert str(tmp_path / "file") in told(capsys)


BOMB = """
import dataclasses
import sys

import jax.numpy as jnp

sys.path.insert(0, {tests!r})
from toy import toy_experiment
from jaxclr.methods.method import Term


@dataclasses.dataclass(frozen=True)
class Bomb(Term):
    \"\"\"Zero for most of the run.\"\"\"

    def __call__(self, outputs):
        return jnp.where(outputs.progress > 0.6, jnp.nan, 0.0)


def experiment():
    toy = toy_experiment()
    return dataclasses.replace(toy, method=toy.method.plus(bomb=Bomb()))
"""


def test_a_loss_that_is_not_finite_stops_names_term_and_step_and_keeps_the_last_checkpoint(
    tmp_path, capsys
):
    """The term is NaN from 4/6 of the run on: in the fifth step."""
    file = tmp_path / "bomb.py"
    file.write_text(BOMB.format(tests=str(Path(TOY).parent)))
    assert run(tmp_path, "--targets", "day", experiment=str(file)) == 1
    assert "at step 5; not finite: bomb." in told(capsys)
    folder = tmp_path / "toy/day/seed1"
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["3"]
    assert not (folder / "results.json").exists()


def test_averaged_weights_bfloat16_and_pooled_norm_run_to_the_end(tmp_path):
    settings = "--ema-decay .9 --dtype bfloat16 --model.norm pooled --targets day --steps 2"
    assert run(tmp_path, *settings.split()) == 0


def make_folder(root: Path, domains: int = 2) -> None:
    for domain in Toy().load().domains[:domains]:
        for path, image in zip(domain.paths, domain.images, strict=True):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(root / path)


SMALL = (
    "--steps", "2", "--labels-per-class", "3", "--batch-per-domain", "8", "--augment.size", "16",
    "--targets", "day", "--model.stem", "small",
)  # fmt: skip


def test_a_missing_data_folder_says_where_was_looked_and_what_was_expected(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path / "data"))
    assert run(tmp_path, experiment="pacs_fixclr") == 2
    text = told(capsys)
    assert str(tmp_path / "data" / "pacs") in text
    assert "<domain>/<class>" in text
    assert "PACS.zip" in text


def test_a_class_missing_from_a_domain_is_named(tmp_path, capsys):
    make_folder(tmp_path / "images")
    for path in (tmp_path / "images/dusk/cross").iterdir():
        path.unlink()
    root = ("--dataset.root", str(tmp_path / "images"))
    assert run(tmp_path, *SMALL, *root, experiment="folder_fixclr") == 2
    text = told(capsys)
    assert "'dusk'" in text
    assert "'cross'" in text


@pytest.mark.parametrize("threads", [("--threads", "2"), ("--workers", "1")], ids=lambda t: t[0])
def test_an_unreadable_image_is_named_and_how_to_leave_it_out(tmp_path, capsys, threads):
    make_folder(tmp_path / "images")
    for path in (tmp_path / "images/dusk/cross").iterdir():
        path.write_bytes(path.read_bytes()[:60])
    root = ("--dataset.root", str(tmp_path / "images"))
    assert run(tmp_path, *SMALL, *root, *threads, experiment="folder_fixclr") == 1
    text = told(capsys)
    assert "dusk/cross/" in text
    assert "--dataset.skip-unreadable" in text


def test_the_report_of_all_finished_runs_is_written_at_the_end(finished, capsys):
    assert not (finished / "report").exists()
    arguments = [f"--experiment={TOY}", f"--workdir={finished.parent}", "--targets", "day"]
    assert main(arguments) == 0
    page = finished / "report/index.html"
    assert capsys.readouterr().out.rstrip().endswith(f"Report: {page}")
    # Of the runs that were made before, too.
    accuracy = {
        target: json.loads((finished / target / "seed1/results.json").read_text())["accuracy"]
        for target in DOMAINS
    }
    text = page.read_text()
    assert all(f"{figure:.1f}" in text for figure in accuracy.values())
    assert (finished / "report/figures/embedding.png").exists()
