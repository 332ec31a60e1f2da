"""What finished runs have left behind, read back for whoever looks at them."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxclr.errors import InputError
from jaxclr.pipeline.atomic import replacing

RESULTS, TESTED = "results.json", "tested.npz"


class Predictions(NamedTuple):
    """What the last state said of every image of the target whose class is known."""

    path: tuple[str, ...]
    label: Int[np.ndarray, " n"]
    guess: Int[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    """Probability of the guess, in [0, 1]."""
    truth: Float[np.ndarray, " n"]
    """Probability of the label, in [0, 1]."""


class Features(NamedTuple):
    """Features of a sample of every domain, as many images of each."""

    features: Float[np.ndarray, "m d"]
    domain: Int[np.ndarray, " m"]
    """Place among ``domains`` of ``results.json``: the sources, then the target."""
    label: Int[np.ndarray, " m"]
    """-1 where nobody knows."""


class Mistakes(NamedTuple):
    """The wrong predictions that the network was surest of, the surest first."""

    images: UInt8[np.ndarray, "j h w 3"]
    path: tuple[str, ...]
    label: Int[np.ndarray, " j"]
    guess: Int[np.ndarray, " j"]
    confidence: Float[np.ndarray, " j"]


class Tested(NamedTuple):
    """What was seen of a run's last state."""

    predictions: Predictions
    features: Features | None
    """None where the experiment asks for no sample."""
    mistakes: Mistakes


class Record(NamedTuple):
    """All that a finished run has left behind but its weights."""

    folder: Path
    results: Mapping[str, Any]
    """Of ``results.json``."""
    lines: list[dict[str, Any]]
    """Of ``metrics.jsonl``."""
    code: str
    """The experiment, as ``experiment.txt`` has it."""
    predictions: Predictions | None
    """This and what follows are None of runs that were made before there was such a file."""
    features: Features | None
    mistakes: Mistakes | None


def write_tested(path: Path, tested: Tested) -> None:
    """Writes ``tested.npz``, whole or not at all."""
    arrays = {}
    for kind, part in tested._asdict().items():
        for name, value in part._asdict().items() if part is not None else ():
            arrays[f"{kind}/{name}"] = _packed(value) if isinstance(value, tuple) else value
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)


def read_tested(path: Path) -> Tested:
    """Reads what :func:`write_tested` wrote.

    Raises:
        InputError: It is damaged, or another file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            features = _part(Features, arrays) if "features/features" in arrays else None
            return Tested(_part(Predictions, arrays), features, _part(Mistakes, arrays))
    # What NumPy and zipfile were seen to raise over damaged files.
    except Exception as error:
        raise InputError(
            f"{path} cannot be read ({error}). Remove the run's results.json, and give its command "
            "again: the last state is then tested anew."
        ) from error


def read_results(folder: Path) -> tuple[dict[str, Any], str]:
    """The results of a finished run, and the experiment as code.

    Raises:
        InputError: There are none, or they are damaged.
    """
    if not (folder / RESULTS).is_file():
        raise InputError(f"{folder} holds no finished run: there is no {RESULTS} in it.")
    try:
        results = json.loads((folder / RESULTS).read_text())
        code = (folder / "experiment.txt").read_text()
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} cannot be read: {error}") from error
    if lacking := {"experiment", "target", "seed", "accuracy", "classes"} - results.keys():
        raise InputError(f"{folder / RESULTS} is no run's: it lacks {sorted(lacking)[0]!r}.")
    return results, code


def read_record(folder: Path) -> Record:
    """Reads a finished run.

    Args:
        folder: ``<experiment>/<target>/seed<S>``.

    Raises:
        InputError: There are no results, or a file is damaged.
    """
    results, code = read_results(folder)
    try:
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} cannot be read: {error}") from error
    there = (folder / TESTED).is_file()
    seen = read_tested(folder / TESTED) if there else (None, None, None)
    return Record(folder, results, lines, code, *seen)


def read_records(folder: Path) -> list[Record]:
    """Reads every finished run of an experiment's folder, by target and seed, or the one run.

    Raises:
        InputError: There is none, or one cannot be read.
    """
    if (folder / RESULTS).is_file():
        return [read_record(folder)]
    found = [path.parent for path in sorted(folder.glob(f"*/seed*/{RESULTS}"))]
    if not found:
        missing = "is not there" if not folder.exists() else "holds no finished run"
        raise InputError(
            f"{folder} {missing}. Give the folder of an experiment's runs, such as "
            "runs/digits_fixclr, or that of one run in it."
        )
    records = [read_record(run) for run in found]
    return sorted(records, key=lambda record: (record.results["target"], record.results["seed"]))


def _part(kind: type, arrays: Mapping[str, np.ndarray]) -> Any:
    prefix = kind.__name__.lower()
    found: dict[str, Any] = {name: arrays[f"{prefix}/{name}"] for name in kind._fields}
    if "path" in found:
        found["path"] = _unpacked(found["path"])
    return kind(**found)


def _packed(paths: Sequence[str]) -> UInt8[np.ndarray, " c"]:
    """Names as bytes: those of files need not be text."""
    return np.frombuffer(b"\0".join(map(os.fsencode, paths)), np.uint8)


def _unpacked(packed: UInt8[np.ndarray, " c"]) -> tuple[str, ...]:
    return tuple(map(os.fsdecode, packed.tobytes().split(b"\0"))) if packed.size else ()
