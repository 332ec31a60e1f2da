import json
import os

import numpy as np
import pytest

from jaxclr import records
from jaxclr.errors import InputError
from jaxclr.records import (
    Features,
    Mistakes,
    Predictions,
    read_record,
    read_records,
    read_tested,
    write_tested,
)

RESULTS = {"experiment": "mine", "target": "day", "seed": 1, "accuracy": 50.0, "classes": ["a"]}
RNG = np.random.default_rng(1)
ODD = ("day/cat/a b.png", "day/кот/日.png", os.fsdecode(b"day/cat/\xff.png"))


def seen(features=True) -> records.Tested:
    label, guess = np.array([0, 1, 1], np.int32), np.array([0, 0, 1], np.int32)
    share = np.array([0.75, 0.5, 0.625], np.float32)
    sample = Features(RNG.normal(size=(4, 2)).astype(np.float32), np.arange(4), np.arange(4) - 1)
    pictures = RNG.integers(0, 256, (1, 4, 4, 3), np.uint8)
    return records.Tested(
        Predictions(ODD, label, guess, share, share / 2), sample if features else None,
        Mistakes(pictures, ODD[1:2], label[1:2], guess[1:2], share[1:2]),
    )  # fmt: skip


def leave_run(folder, results, **files):
    folder.mkdir(parents=True)
    files = {
        "metrics.jsonl": '{"step": 1, "loss": 2.0}\n',
        "experiment.txt": "Experiment()",
        **files,
    }
    for name, text in {"results.json": json.dumps(results), **files}.items():
        (folder / name).write_text(text)


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        assert a == b if isinstance(a, tuple) else np.array_equal(a, b)
        assert isinstance(a, tuple) or a.dtype == b.dtype


@pytest.mark.parametrize("features", [True, False])
def test_what_was_seen_is_read_back_to_the_bit_odd_names_too(tmp_path, features):
    written = seen(features)
    write_tested(tmp_path / "tested.npz", written)
    found = read_tested(tmp_path / "tested.npz")
    assert_same(found.predictions, written.predictions)
    assert_same(found.mistakes, written.mistakes)
    assert (found.features is None) == (not features)
    if features:
        assert_same(found.features, written.features)


def test_a_run_without_mistakes_has_none(tmp_path):
    none = Mistakes(np.zeros((0, 4, 4, 3), np.uint8), (), *[np.zeros(0, np.int32)] * 2, np.zeros(0))
    write_tested(tmp_path / "tested.npz", seen()._replace(mistakes=none))
    found = read_tested(tmp_path / "tested.npz").mistakes
    assert found.path == () and found.images.shape == (0, 4, 4, 3)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "tested.npz"
    write_tested(path, seen())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"tested\.npz cannot be read .*the last state is then"):
        read_tested(path)


def test_the_runs_of_an_experiment_come_by_target_and_seed(tmp_path):
    for target, seed in (("night", 1), ("day", 10), ("day", 2)):
        leave_run(tmp_path / target / f"seed{seed}", {**RESULTS, "target": target, "seed": seed})
    write_tested(tmp_path / "day/seed2/tested.npz", seen())
    found = read_records(tmp_path)
    assert [(r.results["target"], r.results["seed"]) for r in found] == [
        ("day", 2), ("day", 10), ("night", 1)
    ]  # fmt: skip
    assert found[0].predictions.path == ODD
    # Runs that were made before there was such a file are read all the same.
    assert found[1].predictions is found[1].features is found[1].mistakes is None
    assert found[1].lines == [{"step": 1, "loss": 2.0}]
    assert len(read_records(tmp_path / "day/seed10")) == 1


def test_what_is_missing_or_damaged_is_told(tmp_path):
    with pytest.raises(InputError, match="nowhere is not there"):
        read_records(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no finished run"):
        read_records(tmp_path)
    with pytest.raises(InputError, match=r"there is no results\.json in it"):
        read_record(tmp_path)
    leave_run(tmp_path / "day/seed1", RESULTS, **{"metrics.jsonl": "{"})
    with pytest.raises(InputError, match="seed1 cannot be read"):
        read_record(tmp_path / "day/seed1")
    leave_run(tmp_path / "dusk/seed1", {"target": "dusk"})
    with pytest.raises(InputError, match=r"results\.json is no run's: it lacks 'accuracy'"):
        read_record(tmp_path / "dusk/seed1")
