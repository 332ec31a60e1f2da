"""Journals whose lines are told to loggers, too, and the figures that these have to hold."""

import json

import numpy as np
from events import read_events
from toy import CLASSES

from jaxclr.loggers import Loggers
from jaxclr.metrics import Journal
from jaxclr.sinks import Facts

WINDOW = {"loss": 1 / 3, "pseudo_label_keep_rate": 50.0, "pseudo_label_accuracy": None}
TEST = {
    "accuracy": 62.5,
    "accuracy_per_class": [25.0, 100.0, 62.5],
    "held_back_accuracy": None,
    "pseudo_label_accuracy_by_domain": {"day": 80.0, "dusk": None},
}


def started(folder, *names, step=-1, said=None, **kinds) -> tuple[Journal, Loggers]:
    """A journal of a run of the toy's classes that goes on after ``step``."""
    facts = Facts("mine", "night", 3, folder, CLASSES, "Mine(a=1)", " = Mine\na = 1\nb = Sgd")
    loggers = Loggers(facts, names, (said if said is not None else []).append, **kinds)
    journal = Journal(folder / "metrics.jsonl", loggers=loggers)
    journal.rewind(step)
    return journal, loggers


def expected(folder) -> list[tuple[int, str, float]]:
    """The numbers of ``metrics.jsonl``, the shapes that a line's values have spelled out."""
    found = []
    for text in (folder / "metrics.jsonl").read_text().splitlines():
        line = json.loads(text)
        for name, value in line.items():
            if isinstance(value, list):
                value = dict(zip(CLASSES, value, strict=True))
            named = value.items() if isinstance(value, dict) else [(None, value)]
            found += [(line["step"], f"{name}/{key}" if key else name, v) for key, v in named]
    return [entry for entry in found if entry[1] != "step" and entry[2] is not None]


def shown_by_tensorboard(folder) -> list[tuple[int, str, float]]:
    values = read_events(folder / "tensorboard")
    return [tuple(value) for value in values if isinstance(value.content, float)]


def assert_same(found, wanted) -> None:
    """In float32, which is what TensorBoard knows."""
    assert [entry[:2] for entry in found] == [entry[:2] for entry in wanted]
    assert [entry[2] for entry in found] == [float(np.float32(entry[2])) for entry in wanted]
