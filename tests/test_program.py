"""Runs that spare memory: refused where they cannot, and resumed where they stopped."""

import io
import json
import shutil

import jax
import numpy as np
import pytest
from rich.console import Console
from toy import toy_experiment

from jaxclr.errors import InputError
from jaxclr.experiment import as_code, differences
from jaxclr.main import parse
from jaxclr.models.convnet import ConvNet
from jaxclr.models.vit import Vit
from jaxclr.run import Run

VIT = Vit(width=128, depth=1, heads=2, patch=8, size=16)


def make_run(folder, programs=None, **changes):
    e = toy_experiment(**changes)
    programs = {} if programs is None else programs
    return Run(e, e.dataset.load(), "day", 1, folder / "toy/day/seed1", programs)


def finished(run):
    run.execute(Console(file=io.StringIO()), lambda pace: None)
    with np.load(run.folder / "weights.npz") as arrays:
        return dict(arrays), (run.folder / "metrics.jsonl").read_text()


def test_chunks_that_cannot_be_are_refused_before_the_run_starts(tmp_path):
    with pytest.raises(InputError, match=r"--chunks is 3.*the 2 source domains.*--chunks 2 or"):
        make_run(tmp_path, chunks=3)
    with pytest.raises(InputError, match=r"--model\.norm pooled"):
        make_run(tmp_path, chunks=2, model=ConvNet(width=8, size=16, norm="pooled"))
    with pytest.raises(InputError, match=r"chunks is 3.*a device's part.* 2, is no multiple"):
        make_run(tmp_path, chunks=3, model=VIT)
    with pytest.raises(InputError, match=r"--chunks is 0; it must be at least 1"):
        make_run(tmp_path, chunks=0)
    make_run(tmp_path, chunks=2, model=VIT)


def test_a_run_goes_on_with_more_or_less_memory():
    one = toy_experiment()
    other = parse(one, ["--chunks", "2", "--model.remat", "--sharding", "full"])
    assert (other.chunks, other.model.remat, other.sharding) == (2, True, "full")
    assert differences(as_code(one), other) == []


@pytest.mark.slow
def test_a_run_with_all_there_is_to_spare_memory_ends_as_one_with_none_and_can_be_resumed(tmp_path):
    settings = {"steps": 4, "eval_every": 2, "ema_decay": 0.9}
    plain, metrics = finished(make_run(tmp_path / "plain", model=VIT, **settings))
    frugal = {
        "model": Vit(width=128, depth=1, heads=2, patch=8, size=16, remat=True),
        "chunks": 2, "sharding": "full", **settings,
    }  # fmt: skip
    programs = {}
    whole = make_run(tmp_path / "whole", programs, **frugal)
    weights, lines = finished(whole)
    for name, array in plain.items():
        np.testing.assert_allclose(weights[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    losses = [
        [json.loads(line).get("loss", 0) for line in text.splitlines()] for text in (metrics, lines)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)

    again = make_run(tmp_path / "again", programs, **frugal)
    shutil.copytree(whole.folder, again.folder)
    for name in ("results.json", "weights.npz"):
        (again.folder / name).unlink()
    shutil.rmtree(again.folder / "checkpoints/4")
    resumed, same_lines = finished(again)
    jax.tree.map(np.testing.assert_array_equal, resumed, weights)
    assert same_lines == lines
