"""Runs on data where domains lack classes, labels have a tail, or the pool holds labeled images."""

import dataclasses
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from toy import Pictures, Toy, toy_experiment

from jaxclr.errors import InputError
from jaxclr.evaluation import Seen
from jaxclr.evaluator import Evaluator
from jaxclr.experiment import Experiment
from jaxclr.methods.fbcsa import fbcsa
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.flexmatch import flexmatch
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Prototypes
from jaxclr.pipeline.source import Collection, Domain
from jaxclr.pipeline.split import Split
from jaxclr.probe import Probe
from jaxclr.run import Run
from jaxclr.survey import prototypes_at
from jaxclr.sweep import sweep
from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.layout import make_layout
from jaxclr.training.state import TrainState, initial_state

CIRCLE, CROSS, STRIPES = range(3)


def without(domain: Domain, label: int, keep: int = 0) -> Domain:
    """The domain with so many images of a class as are to be kept."""
    gone = np.flatnonzero(domain.label == label)[keep:]
    kept = np.setdiff1d(np.arange(len(domain.label)), gone)
    return Domain(
        domain.name, tuple(domain.paths[i] for i in kept), domain.label[kept], domain.train[kept],
        Pictures(domain.images[i] for i in kept),
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Uneven(Toy):
    """The toy with two crosses by day, no stripes at dusk, and no crosses at night.

    Nobody noted what the first image of the night shows.
    """

    def load(self) -> Collection:
        (day, dusk, night), classes = super().load()
        night = without(night, CROSS)
        label = np.where(np.arange(len(night.label)) == 0, -1, night.label).astype(np.int32)
        domains = (without(day, CROSS, 2), without(dusk, STRIPES), night._replace(label=label))
        return Collection(domains, classes)


def experiment(**changes) -> Experiment:
    defaults = {
        "dataset": Uneven(), "targets": ("night",), "missing_classes": "allow", "steps": 2,
        "eval_every": 2, "log_every": 1, "labels_per_class": 4, "domain_probe": 0,
    }  # fmt: skip
    return toy_experiment(**{**defaults, **changes})


def swept(folder: Path, chosen: Experiment) -> tuple[Path, dict]:
    """Makes the one run; gives its folder and its results, all of whose numbers are numbers."""
    sweep(chosen, folder, Console(file=io.StringIO()))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} was written")

    for path in (*folder.rglob("*.json"), *folder.rglob("metrics.jsonl")):
        if "checkpoints" not in path.parts:
            for line in path.read_text().splitlines() if path.suffix == ".jsonl" else [path]:
                text = line if isinstance(line, str) else path.read_text()
                json.loads(text, parse_constant=refuse)
    assert "nan" not in (folder / "toy/table.md").read_text()
    with np.load(folder / "toy/night/seed1/weights.npz") as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)
    run = folder / "toy/night/seed1"
    return run, json.loads((run / "results.json").read_text())


@pytest.fixture(scope="module")
def with_means(tmp_path_factory) -> tuple[Path, dict, Experiment]:
    chosen = experiment(method=fbcsa())
    return *swept(tmp_path_factory.mktemp("fbcsa"), chosen), chosen


def test_class_means_of_what_a_domain_lacks_are_zero_and_all_others_are_there(with_means):
    folder, _, chosen = with_means
    run = Run(chosen, chosen.dataset.load(), "night", 1, folder, {})
    checkpoints = Checkpoints(folder / "checkpoints")
    bank = np.asarray(checkpoints.restore(initial_state(run.setting, 1)).state.bank)
    checkpoints.close()
    length = np.linalg.norm(bank, axis=-1)
    assert np.isfinite(bank).all() and length.shape == (2, 3)
    assert ((length > 0) == [[True, True, True], [True, True, False]]).all()


def test_a_class_that_the_target_lacks_has_no_accuracy_and_the_unknown_is_not_tested(with_means):
    _, results, _ = with_means
    circle, cross, stripes = results["accuracy_per_class"]
    assert cross is None
    # Eleven circles are left whose class is known, and twelve stripes.
    assert math.isclose(results["accuracy"], (11 * circle + 12 * stripes) / 23)


def test_the_split_that_was_drawn_is_found_again_by_its_name(with_means):
    folder, _, chosen = with_means
    drawn = json.loads((folder / "night_nlab18_seed1.json").read_text())
    assert len(drawn["train_x"]) == 4 + 2 + 4 + 4 + 4 + 0
    again = dataclasses.replace(chosen, splits=str(folder))
    one, other = (
        Run(e, e.dataset.load(), "night", 1, folder / "none", {}).split for e in (chosen, again)
    )
    for field, fields in zip(one, other, strict=True):
        for a, b in zip(field, fields, strict=True):
            np.testing.assert_array_equal(a, b)


def test_fixclr_trains_from_prototypes_where_a_domain_lacks_a_class(tmp_path):
    model = ConvNet(width=8, size=16, classifier=Prototypes(start="class_means"))
    _, results = swept(tmp_path, experiment(method=fixclr(), model=model))
    assert results["accuracy_per_class"][CROSS] is None


def test_unless_allowed_such_data_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="'day' has 2 training images of class 'cross', but 4"):
        swept(tmp_path, experiment(missing_classes="refuse"))
    assert not list(tmp_path.iterdir())


def test_labeled_images_are_in_the_pool_if_asked_and_their_labels_have_a_tail(tmp_path):
    chosen = experiment(
        dataset=Toy(), method=flexmatch(), labeled_in_pool=True, label_imbalance=4.0,
        missing_classes="refuse", labels_per_class=6,
    )  # fmt: skip
    folder, _ = swept(tmp_path, chosen)
    written = json.loads((folder / "night_nlab20_seed1.json").read_text())
    kept = [[r[1] for r in written["train_x"] if r[2] == name] for name in ("day", "dusk")]
    # Six, half of them, and a quarter of them, cut off.
    assert kept == [[0] * 6 + [1] * 3 + [2]] * 2 and len(written["train_u"]) == 72 - 20
    run = Run(chosen, chosen.dataset.load(), "night", 1, tmp_path, {})
    assert run.batches.unlabeled.size == run.setting.num_unlabeled == 72
    for labeled, pool in zip(run.split.labeled, run.batches.unlabeled.indices, strict=True):
        assert set(labeled) < set(pool) and list(pool) == list(range(36))
    apart = Run(experiment(dataset=Toy()), Toy().load(), "night", 1, tmp_path / "other", {})
    assert apart.batches.unlabeled.size == 72 - 24


def test_a_target_without_any_label_is_refused(tmp_path):
    *sources, night = Toy().load().domains
    blank = night._replace(label=np.full(36, -1, np.int32))
    collection = Collection((*sources, blank), Toy().load().classes)
    with pytest.raises(InputError, match="No image of 'night' has a label"):
        Run(experiment(dataset=Toy()), collection, "night", 1, tmp_path, {})


def test_a_probe_is_not_tested_on_images_of_unknown_class():
    """By features that are the mean colour, in which neither training nor chance has a part."""
    *sources, night = Uneven().load().domains
    split = Split(tuple(np.arange(len(d.label)) for d in sources), (np.array([0]),) * 2)
    chosen = experiment(evaluation=Probe(labels="given", neighbors=1))
    layout = make_layout(8)

    def predict(params, stats, images):
        return Seen(*[np.asarray(images, np.float32).mean((1, 2)) / 255] * 3)

    evaluator = Evaluator(chosen, tuple(sources), night, split, 3, layout, predict)
    state = TrainState(*[()] * 8)
    found = evaluator(state)
    assert found.target.counts.tolist() == [11, 0, 12]
    means = [np.stack([x.mean((0, 1)) / 255 for x in d.images]) for d in (*sources, night)]
    taught, label = np.concatenate(means[:2]), np.concatenate([d.label for d in sources])
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (means[2][1:], taught)]
    near = label[(unit[0] @ unit[1].T).argmax(1)]
    assert math.isclose(found.more["neighbors_accuracy"], 100 * (near == night.label[1:]).mean())
    # What is kept of them for reports leaves the image out, too, and is of the right others.
    kept = evaluator.tested(state)
    assert kept.predictions.path == night.paths[1:]
    assert set(kept.mistakes.path) <= set(night.paths[1:])
    shown = dict(zip(night.paths, night.images, strict=True))
    for path, picture in zip(kept.mistakes.path, kept.mistakes.images, strict=True):
        np.testing.assert_array_equal(picture, chosen.augment.evaluation(shown[path]))


def test_prototypes_cannot_start_at_the_mean_of_no_image():
    model = ConvNet(width=8, size=16, classifier=Prototypes(start="class_means"))
    embeddings = np.ones((4, 5), np.float32)
    with pytest.raises(InputError, match="no image of class number 1 keeps its label"):
        prototypes_at(model, embeddings, np.array([0, 2, -1, 0]), 3)


@pytest.mark.parametrize("value", [0.5, 0.0, float("nan"), float("inf")])
def test_an_imbalance_below_one_or_without_end_is_refused(value):
    with pytest.raises(InputError, match="--label-imbalance is"):
        experiment(label_imbalance=value)
