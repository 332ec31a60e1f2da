"""The bank of FBC-SA: what it holds, and when it is renewed."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import SIZES
from rich.console import Console
from toy import Toy, toy_experiment

from jaxclr.methods.fbcsa import DomainMeans, fbcsa
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Term
from jaxclr.models.convnet import ConvNet
from jaxclr.optim import Sgd
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.split import draw_split
from jaxclr.run import Run
from jaxclr.survey import Renewal
from jaxclr.training.layout import make_layout
from jaxclr.training.passes import forward
from jaxclr.training.state import Frozen, Setting, initial_state
from jaxclr.training.step import make_train_step

AUGMENT = Augment(size=16, flip=0.0, cutout=4, mean=(0.4, 0.5, 0.6), std=(0.3, 0.25, 0.2))
ROWS, DOMAINS, CLASSES = 8, 2, 3
SOURCES = Toy().load().domains[:DOMAINS]


def make_setting(method=None) -> Setting:
    return Setting(
        network=ConvNet(width=4, size=16).build(CLASSES, seed=1),
        method=method or fbcsa(fixmatch(threshold=0.4)),
        optimizer=Sgd().build(steps=9),
        num_classes=CLASSES,
        num_domains=DOMAINS,
        steps=9,
        mean=AUGMENT.mean,
        std=AUGMENT.std,
    )


def make_split():
    return draw_split(SOURCES, Toy().load().classes, labels_per_class=3, seed=1)


def renewed(setting, labeled):
    state = initial_state(setting)
    return Renewal(setting, SOURCES, labeled, AUGMENT, ROWS, make_layout(ROWS))(state), state


def by_hand(setting, labeled) -> np.ndarray:
    """Class means, one domain after the other, one batch after the other."""
    run = jax.jit(functools.partial(setting.network, groups=1, train=True))
    means = np.zeros((DOMAINS, CLASSES, setting.network.width))
    for d, (domain, indices) in enumerate(zip(SOURCES, labeled, strict=True)):
        members = {c: [] for c in range(CLASSES)}
        for start in range(0, len(indices), ROWS):
            batch = list(indices[start : start + ROWS])
            fill = [indices[i % len(indices)] for i in range(ROWS - len(batch))]
            images = np.stack([AUGMENT.evaluation(domain.images[int(i)]) for i in batch + fill])
            pixels = (images / 255 - np.array(AUGMENT.mean)) / np.array(AUGMENT.std)
            network = setting.network
            found, _ = run(network.params, network.stats, jnp.asarray(pixels, jnp.float32))
            for i, x in zip(batch, np.asarray(found.features, np.float64), strict=False):
                members[int(domain.label[i])].append(x / np.linalg.norm(x))
        for c, found in members.items():
            means[d, c] = np.mean(found, 0) if found else 0
    return means


def test_means_are_those_of_unit_features_by_domain_and_class():
    rng = np.random.default_rng(0)
    features, m = rng.normal(size=(30, SIZES.width)), 30
    features[4] = 0
    label, domain = rng.integers(0, 3, m), rng.integers(0, 2, m)
    # Nothing of class 1 is labeled in domain 1, and one image of class 2 alone.
    label[domain == 1] = np.where(label[domain == 1] == 1, 0, label[domain == 1])
    found = DomainMeans().renew(
        jnp.asarray(features, jnp.float32), jnp.asarray(label), jnp.asarray(domain), SIZES
    )
    assert found.shape == DomainMeans().init(SIZES).shape == (2, 3, SIZES.width)
    for d in range(2):
        for c in range(3):
            own = [features[i] for i in range(m) if (label[i], domain[i]) == (c, d)]
            unit = [x / max(np.linalg.norm(x), 1e-6) for x in own]
            expected = np.mean(unit, 0) if own else np.zeros(SIZES.width)
            np.testing.assert_allclose(found[d, c], expected, rtol=1e-5, atol=1e-6)
    assert not found[1, 1].any()
    assert 0.01 < np.linalg.norm(found[0, 0]) < 0.99, "a mean is not scaled again"


def test_the_first_bank_is_empty():
    assert not DomainMeans().init(SIZES).any()


@pytest.mark.parametrize("missing", [False, True])
def test_prototypes_come_of_plain_views_by_each_domains_statistics(missing):
    setting, labeled = make_setting(), list(make_split().labeled)
    if missing:
        labeled[1] = labeled[1][SOURCES[1].label[labeled[1]] != 2]
    state, before = renewed(setting, labeled)
    assert [len(indices) for indices in labeled] == ([9, 6] if missing else [9, 9])
    np.testing.assert_allclose(state.bank, by_hand(setting, labeled), rtol=1e-4, atol=1e-5)
    assert state.bank[1, 2].any() != missing
    chex.assert_trees_all_equal(state._replace(bank=before.bank), before)


@dataclasses.dataclass(frozen=True)
class Counted(DomainMeans):
    """Holds how often it has been renewed, and checks what it is asked with."""

    asked: ClassVar[list[int]] = []

    def init(self, sizes):
        return jnp.zeros(())

    def renew(self, features, label, domain, sizes):
        assert features.shape == (2 * 9, sizes.width)
        assert np.bincount(np.asarray(3 * domain + label)).tolist() == [3] * 6
        self.asked.append(1)
        return jnp.float32(len(self.asked))


@dataclasses.dataclass(frozen=True)
class Told(Term):
    """Says what the bank holds."""

    reads = ()

    def __call__(self, outputs):
        return outputs.bank


def test_a_bank_is_renewed_before_every_epoch_and_only_then(tmp_path):
    """An epoch is 27 unlabeled images of each domain in batches of 8: three steps."""
    Counted.asked.clear()
    method = dataclasses.replace(fixmatch().plus(told=Told(0.0)), bank=Counted())
    experiment = toy_experiment(
        method=method, model=ConvNet(width=4, size=16), domain_probe=0,
        steps=7, log_every=1, eval_every=7,
    )  # fmt: skip
    finish(experiment, tmp_path, {})
    lines = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert [line["told"] for line in lines if "told" in line] == [1, 1, 1, 2, 2, 2, 3]


def finish(experiment, folder: Path, programs: dict, on_pace=lambda pace: None) -> None:
    run = Run(experiment, experiment.dataset.load(), "night", 1, folder, programs)
    run.execute(Console(quiet=True), on_pace)


class Stop(Exception):
    """Ends a run in the middle."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without a stop, and what it compiled."""
    method = fbcsa(fixmatch(threshold=0.4), conformity_weight=5.0, alignment_weight=5.0)
    experiment = toy_experiment(
        method=method, model=ConvNet(width=4, size=16), domain_probe=0,
        steps=8, log_every=1, eval_every=2,
    )  # fmt: skip
    folder, programs = tmp_path_factory.mktemp("whole"), {}
    finish(experiment, folder, programs)
    return experiment, folder, programs


@pytest.mark.parametrize("step", [4, 7])
def test_a_run_that_stops_goes_on_with_the_bank_it_had(whole, tmp_path, step):
    """Epochs start before steps 1, 4, 7; checkpoints follow steps 2, 4, 6: what is gone on from."""
    experiment, folder, programs = whole
    # The pace is told from the second step on.
    left = step - 1

    def stop(pace: float) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Stop

    with pytest.raises(Stop):
        finish(experiment, tmp_path, programs, stop)
    assert not (tmp_path / "results.json").exists()
    finish(experiment, tmp_path, programs)
    assert (folder / "metrics.jsonl").read_text() == (tmp_path / "metrics.jsonl").read_text()
    ours, theirs = (dict(np.load(path / "weights.npz")) for path in (folder, tmp_path))
    chex.assert_trees_all_equal(ours, theirs)


def test_the_pass_that_learns_sees_what_the_guess_saw_and_its_statistics_are_recorded_too():
    setting = make_setting(
        dataclasses.replace(fbcsa(), terms={"align": fbcsa().terms["alignment"]})
    )
    batch = Batches(SOURCES, make_split(), AUGMENT, seed=1, steps=9, batch_per_domain=ROWS)[0]
    state = initial_state(setting)
    run = jax.jit(functools.partial(forward, setting))
    stats, _, outputs = run(state.params, state, batch, Frozen())
    np.testing.assert_allclose(outputs.learned.features, outputs.weak.features, rtol=1e-5)
    assert outputs.strong is outputs.labeled is outputs.style is outputs.second is None
    network = jax.jit(functools.partial(setting.network, groups=DOMAINS, train=True))
    images = np.concatenate(
        [
            np.concatenate([x.weak[2 * i : 2 * i + 2] for x in batch])
            for i in range(ROWS)
        ]
    )  # fmt: skip
    pixels = jnp.asarray((images / 255 - AUGMENT.mean) / AUGMENT.std, jnp.float32)
    expected = setting.network.stats
    for _ in range(2):
        _, expected = network(state.params, expected, pixels)
    chex.assert_trees_all_close(stats, expected, rtol=1e-4, atol=1e-5)


def test_its_terms_move_the_backbone_alone_and_eight_devices_compute_what_one_does():
    split = make_split()
    terms = {name: fbcsa().terms[name] for name in ("conformity", "alignment")}
    setting = make_setting(dataclasses.replace(fbcsa(fixmatch(threshold=0.34)), terms=terms))
    batch = Batches(SOURCES, split, AUGMENT, seed=1, steps=9, batch_per_domain=ROWS)[0]
    start, _ = renewed(setting, split.labeled)
    found = []
    for devices in (jax.devices()[:1], jax.devices()):
        layout = make_layout(ROWS, devices)
        step = jax.jit(make_train_step(setting), out_shardings=layout.replicated)
        state = layout.put_state(jax.device_get(start))
        found.append(jax.device_get(step(state, layout.put_batch(batch))))
    chex.assert_trees_all_close(*found, rtol=1e-5, atol=1e-5)
    (after, metrics), _ = found
    assert metrics["kept"] > 0 and metrics["conformity"] > 0
    before = setting.network.params
    decay = 1 - 0.01 * 5e-4
    np.testing.assert_allclose(after.params["head"]["kernel"], decay * before["head"]["kernel"])
    moved = after.params["backbone"]["conv1"]["kernel"] - before["backbone"]["conv1"]["kernel"]
    assert np.abs(moved).max() > 1e-5
