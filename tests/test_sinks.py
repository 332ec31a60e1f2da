"""What TensorBoard and Weights & Biases are told is what ``metrics.jsonl`` holds."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from events import log_records, read_events
from logged import TEST, WINDOW, assert_same, expected, shown_by_tensorboard, started
from PIL import Image


def test_tensorboard_holds_every_number_of_the_journal_by_its_name(tmp_path):
    journal, loggers = started(tmp_path, "tensorboard")
    with loggers:
        journal.write(10, WINDOW)
        journal.write(20, WINDOW | {"loss": 0.1})
        journal.write(20, TEST)
    assert_same(shown_by_tensorboard(tmp_path), expected(tmp_path))
    assert (20, "accuracy_per_class/stripes", 62.5) in shown_by_tensorboard(tmp_path)
    assert (20, "pseudo_label_accuracy_by_domain/day", 80.0) in shown_by_tensorboard(tmp_path)


def test_the_experiment_is_shown_as_code_and_pictures_by_their_files(tmp_path):
    Image.fromarray(np.zeros((3, 5, 3), np.uint8)).save(tmp_path / "confusion.png")
    _, loggers = started(tmp_path, "tensorboard")
    with loggers:
        loggers.images(20, [tmp_path / "confusion.png"])
    text, picture = read_events(tmp_path / "tensorboard")
    assert text == (0, "text/config", "```\nMine(a=1)\n```")
    assert picture[:2] == (20, "figures/confusion")
    assert picture.content == (5, 3, (tmp_path / "confusion.png").read_bytes())


def test_what_a_killed_run_told_after_its_checkpoint_is_void(tmp_path):
    for start, losses in ((-1, (1.0, 2.0, 3.0)), (10, (2.5, 3.5))):
        journal, loggers = started(tmp_path, "tensorboard", step=start)
        with loggers:
            for step, loss in enumerate(losses, 1 if start < 0 else 2):
                journal.write(10 * step, {"loss": loss})
    assert [v[2] for v in shown_by_tensorboard(tmp_path)] == [1.0, 2.5, 3.5]
    assert_same(shown_by_tensorboard(tmp_path), expected(tmp_path))
    assert len([*(tmp_path / "tensorboard").iterdir()]) == 2


def test_a_run_that_starts_again_from_nothing_is_told_of_anew(tmp_path):
    for _ in range(2):
        journal, loggers = started(tmp_path, "tensorboard")
        with loggers:
            journal.write(10, WINDOW)
    assert len(read_events(tmp_path / "tensorboard")) == 1 + len(expected(tmp_path))


def test_a_logger_that_comes_later_is_told_what_was_before(tmp_path):
    started(tmp_path)[0].write(10, TEST)
    journal, loggers = started(tmp_path, "tensorboard", step=10)
    with loggers:
        journal.write(20, WINDOW)
    assert_same(shown_by_tensorboard(tmp_path), expected(tmp_path))


class Service:
    """Stands in for the package ``wandb``: keeps what it is given."""

    def __init__(self):
        self.runs = []

    def init(self, **given):
        given |= {"rows": [], "code": None, "offline": False, "url": "https://there/run"}
        run = SimpleNamespace(**given)
        run.log = run.rows.append
        run.define_metric = lambda name, step_metric: run.rows.append((name, step_metric))
        run.finish = lambda exit_code: setattr(run, "code", exit_code)
        self.runs.append(run)
        return run

    Settings = dict

    Html, Image = staticmethod(lambda page: page), staticmethod(lambda path: path)


@pytest.fixture
def service(monkeypatch):
    service = Service()
    monkeypatch.setitem(sys.modules, "wandb", service)
    return service


def test_weights_and_biases_has_the_same_rows_on_the_axis_of_steps(tmp_path, service):
    said = []
    journal, loggers = started(tmp_path, "wandb", said=said)
    with loggers:
        journal.write(10, WINDOW)
        journal.write(20, TEST)
    (run,) = service.runs
    assert run.rows[:2] == [("*", "step"), {"text/config": "<pre>Mine(a=1)</pre>"}]
    rows = [(row["step"], k, v) for row in run.rows[2:] for k, v in row.items() if k != "step"]
    assert rows == expected(tmp_path)
    assert run.config == {"target": "night", "seed": 3, "a": 1, "b": "Sgd"}
    assert (run.name, run.group, run.project) == ("mine night seed 3", "mine", "jaxclr")
    assert (run.resume, run.dir, run.code) == ("allow", str(tmp_path), 0)
    # Neither a question at the terminal nor a broken network may hold a run up for good.
    assert run.settings["login_timeout"] == 60.0 and run.settings["finish_timeout"] == 120.0
    assert said == ["night seed 3 is shown at https://there/run"]


def test_every_sitting_goes_on_with_the_same_run_of_weights_and_biases(tmp_path, service):
    with pytest.raises(KeyboardInterrupt), started(tmp_path / "one", "wandb")[1]:
        raise KeyboardInterrupt
    for folder, step in (("one", 10), ("two", -1)):
        with started(tmp_path / folder, "wandb", step=step)[1]:
            pass
    first, second, other = service.runs
    assert first.id == second.id != other.id
    assert (first.code, second.code) == (1, 0)
    assert len(second.rows) == 1


def test_weights_and_biases_itself_keeps_every_number(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    journal, loggers = started(tmp_path, "wandb")
    with loggers:
        journal.write(10, WINDOW)
        journal.write(20, TEST)
    wandb.teardown()
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    found = []
    for data in log_records(file.read_bytes()):
        items = Record.FromString(data).history.item
        row = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}
        if "step" in row:
            found += [(row["step"], name, value) for name, value in row.items()]
    names = {name for _, name, _ in expected(tmp_path)}
    assert sorted(entry for entry in found if entry[1] in names) == sorted(expected(tmp_path))
