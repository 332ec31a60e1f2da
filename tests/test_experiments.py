"""Every experiment that comes with the package trains and is tested, on pictures of a test's size.

The fast tests put a small network under each experiment's own heads, once for every combination
of method, heads and optimizer; the slow ones take each network as it is.
"""

import dataclasses
import json

import jax
import numpy as np
import pytest
from rich.console import Console
from toy import Toy, toy_experiment

from jaxclr.main import experiment_names, load_experiment
from jaxclr.methods.adc import adc
from jaxclr.methods.coral import coral
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.flexmatch import flexmatch
from jaxclr.methods.groupdro import groupdro
from jaxclr.methods.irm import irm
from jaxclr.methods.mean_teacher import mean_teacher
from jaxclr.methods.mmd import mmd
from jaxclr.methods.uda import uda
from jaxclr.methods.vrex import vrex
from jaxclr.models.convnet import ConvNet
from jaxclr.models.prior import Encoder, NoPrior
from jaxclr.run import Run
from jaxclr.sweep import sweep
from jaxclr.training.state import Frozen, initial_state
from jaxclr.training.step import make_train_step

EXPERIMENTS = {name: load_experiment(name) for name in experiment_names()}
ADDED = ("coral", "mmd", "irm", "vrex", "groupdro", "fixmatch_coral", "meanteacher", "uda")
"""Experiments on digits whose additions one fast test takes all at once."""

COMPOSED = ("digits_fixmatch", "digits_ssc")
"""Bases that are quickly tried with FixCLR and ADC; that both go onto all is traced in any case."""


def on_toy(experiment, model=None):
    """The experiment's method, heads, optimizer and way of testing, on small pictures."""
    heads = {
        name: getattr(experiment.model, name) for name in ("classifier", "projector", "predictor")
    }
    return toy_experiment(
        name=experiment.name,
        model=model or ConvNet(width=4, size=16, **heads),
        method=experiment.method,
        optimizer=experiment.optimizer,
        evaluation=experiment.evaluation,
        prior=NoPrior(),
        ema_decay=experiment.ema_decay,
        tested=experiment.tested,
        labeled_in_pool=experiment.labeled_in_pool,
        augment=dataclasses.replace(experiment.augment, size=16, cutout=4),
        targets=("night",),
        steps=2,
        eval_every=2,
        domain_probe=8,
    )


def distinct():
    """One experiment of each kind that differs in more than images, backbone, sizes and numbers."""
    seen = []
    for name, e in EXPERIMENTS.items():
        method = (*e.method.terms.values(), e.method.labeler, e.method.bank, e.method.style)
        heads = (e.model.classifier, e.model.projector, e.model.predictor)
        parts = (*method, e.method.mixing, *heads, e.optimizer, e.evaluation)
        told = (e.method.reads, e.ema_decay is None, e.tested)
        kind = ([type(part) for part in parts], told)
        if kind not in seen:
            seen.append(kind)
            yield name


def quick_or_slow(names):
    """Each name, slow where it is among what is taken at once, or is one more base with a term."""
    for name in names:
        base, _, term = name.rpartition("_")
        more = base in EXPERIMENTS and term in ("fixclr", "adc") and base not in COMPOSED
        slow = more or name.removeprefix("digits_") in ADDED
        yield pytest.param(name, marks=pytest.mark.slow if slow else ())


def results_of(experiment, folder):
    sweep(experiment, folder, Console(quiet=True))
    return json.loads((folder / experiment.name / "night/seed1/results.json").read_text())


@pytest.mark.parametrize("name", [*quick_or_slow(distinct())])
def test_two_steps_of_an_experiment_are_made_and_tested(name, tmp_path):
    results = results_of(on_toy(EXPERIMENTS[name]), tmp_path)
    assert 0 <= results["accuracy"] <= 100 and results["steps"] == 2
    journal = tmp_path / name / "night/seed1/metrics.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert set(EXPERIMENTS[name].method.terms) <= lines[0].keys()
    assert all(np.isfinite(lines[0][term]) for term in EXPERIMENTS[name].method.terms)


def bases():
    """Every method that has an experiment on digits and is not itself with FixCLR or ADC."""
    return [
        name
        for name, experiment in EXPERIMENTS.items()
        if name.startswith("digits_")
        and not {"repulsion", "calibration"} & experiment.method.terms.keys()
    ]


@pytest.mark.parametrize("name", [*quick_or_slow(bases())])
def test_fixclr_and_adc_go_onto_every_method(name, tmp_path):
    """The whole step is traced, forward and backward, with both added."""
    base = on_toy(EXPERIMENTS[name])
    method = adc(fixclr(base.method))
    experiment = dataclasses.replace(base, method=method)
    run = Run(experiment, Toy().load(), "night", 1, tmp_path, {})
    frozen = Frozen(style=method.style.load())
    state = initial_state(run.setting, 1)
    step = make_train_step(run.setting)
    after, metrics = jax.eval_shape(step, state, run.batches[0], frozen)
    assert {*method.terms, "loss"} <= metrics.keys()
    assert {"repulsion", "calibration", "preservation", *base.method.terms} == method.terms.keys()
    same = jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), after, state)
    assert jax.tree.all(same)


def test_penalties_on_domains_and_a_teacher_are_added_all_at_once(tmp_path):
    base = on_toy(EXPERIMENTS["digits_uda"])
    method = groupdro(vrex(irm(mmd(coral(uda())), weight=0.1)))
    experiment = dataclasses.replace(base, method=mean_teacher(method), ema_decay=0.9)
    assert results_of(experiment, tmp_path)["steps"] == 2
    journal = next(tmp_path.glob("**/metrics.jsonl"))
    line = json.loads(journal.read_text().splitlines()[0])
    assert all(np.isfinite(line[term]) for term in experiment.method.terms)


def test_what_one_experiment_has_learned_is_the_frozen_encoder_of_another(tmp_path):
    first = dataclasses.replace(on_toy(EXPERIMENTS["digits_erm"]), seeds=(1,))
    results_of(first, tmp_path)
    encoder = Encoder(
        ConvNet(width=4, size=16), f"{tmp_path}/{first.name}/{{target}}/seed1/weights.npz"
    )
    adc = on_toy(EXPERIMENTS["digits_fixmatch_adc"])
    results_of(adc, tmp_path)
    results_of(dataclasses.replace(adc, name="with_prior", prior=encoder), tmp_path)
    alone, taught = (
        json.loads((tmp_path / name / "night/seed1/metrics.jsonl").read_text().splitlines()[0])
        for name in (adc.name, "with_prior")
    )
    # There are neighbourhoods to preserve, and anchors count by how clear theirs are.
    assert alone["preservation"] == 0 < taught["preservation"]
    assert alone["calibration"] != taught["calibration"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_two_steps_are_made_by_the_experiment_s_own_network(name, tmp_path):
    experiment = EXPERIMENTS[name]
    toy = on_toy(experiment, experiment.model)
    toy = dataclasses.replace(toy, augment=dataclasses.replace(toy.augment, size=32))
    assert results_of(toy, tmp_path)["steps"] == 2


def test_the_terms_that_are_named_to_be_read_are_all_that_the_step_makes():
    assert EXPERIMENTS["digits_erm"].method.reads == {"labeled"}
    assert EXPERIMENTS["digits_simclr"].method.reads == {"strong", "second"}
    assert EXPERIMENTS["digits_byol"].method.reads == {"strong", "second", "average"}
    assert EXPERIMENTS["digits_ssc"].method.reads == {"labeled", "pseudo", "strong", "second"}
    assert flexmatch().reads == {"labeled", "pseudo", "strong"}
