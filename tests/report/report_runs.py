"""Finished runs that nobody made: folders as a run leaves them, with numbers of our own."""

import json

import numpy as np

from jaxclr.records import Features, Mistakes, Predictions, Tested, write_tested
from jaxclr.report import pictures, write

CLASSES = ("circle", "cross", "stripes")
DOMAINS = ("day", "dusk", "night")

CODE = """\
# from toy import Toy
Experiment(
    name={name!r},
    dataset=Toy(),
    method=Method(
        terms={{
            'supervised': Supervised(
                weight=1.0,
            ),
            'consistency': Consistency(
                weight={weight},
            ),
        }},
        bank=NoBank(),
    ),
    steps=20,
)
"""


def tested(rng, classes, images=30):
    """Predictions, right in about two of three images, and what goes with them."""
    label = np.arange(images) % len(classes)
    guess = np.where(rng.random(images) < 0.65, label, (label + 1) % len(classes))
    confidence = rng.uniform(0.5, 1, images).astype(np.float32)
    truth = np.where(guess == label, confidence, (1 - confidence) / 2).astype(np.float32)
    # Names of files are bytes, which need not be text.
    path = tuple(f"night/{i:02d}\udcff.png" for i in range(images))
    wrong = [i for i in np.argsort(-confidence) if guess[i] != label[i]][:6]
    mistakes = Mistakes(
        rng.integers(0, 256, (len(wrong), 12, 12, 3), dtype=np.uint8),
        tuple(path[i] for i in wrong),
        *(values[wrong] for values in (label, guess, confidence)),
    )
    domain, kind = np.repeat(np.arange(3), 12), np.tile(np.arange(12) % len(classes), 3)
    features = rng.normal(size=(36, 8)) + 2 * np.eye(8)[kind % 8] + np.eye(8)[domain + 4]
    return Tested(
        Predictions(path, label, guess, confidence, truth),
        Features(features.astype(np.float32), domain, kind),
        mistakes,
    )


def journal(steps, accuracy, classes, guesses=True):
    """Two windows of steps and a test after each."""
    lines = []
    for part in (1, 2):
        step = part * steps // 2
        kept = {"pseudo_label_keep_rate": 30.0 * part, "pseudo_label_accuracy": 90.0 + part}
        lines.append({"step": step, "supervised": 1 / part, "loss": 2 / part})
        rates = {
            f"pseudo_label_{figure}_by_{axis}": dict.fromkeys(names, value)
            for figure, value in (("keep_rate", 30.0 * part), ("accuracy", 90.0 + part))
            for axis, names in (("domain", DOMAINS[:2]), ("class", classes))
        }
        lines[-1] |= kept if guesses else {}
        lines.append(
            {
                "step": step,
                "accuracy": accuracy * part / 2,
                "accuracy_per_class": [accuracy * part / 2] * len(classes),
                "source_accuracy": 45.0 * part,
                "held_back_accuracy": None,
                **(rates if guesses else {}),
            }
        )
    return lines


def finish(
    workdir, name="base", target="night", seed=1, accuracy=60.0, *,
    classes=CLASSES, dataset="toy", weight=1.0, old=False, guesses=True, labels="a",
    sample=True, **changes,
):  # fmt: skip
    """Writes the folder of a finished run; returns the experiment's folder."""
    folder = workdir / name / target / f"seed{seed}"
    folder.mkdir(parents=True)
    results = {
        "experiment": name, "target": target, "seed": seed, "accuracy": accuracy,
        "accuracy_per_class": [accuracy] * len(classes), "source_accuracy": 90.0,
        "held_back_accuracy": None, "gradient_norms": None, "classes": list(classes), "steps": 20,
        "pseudo_label_keep_rate": 60.0 if guesses else None,
        "pseudo_label_accuracy": 92.0 if guesses else None, "domain_probe_accuracy": 88.0,
        "seconds": 12.5, "images_per_second": 480.0, "device": "1 x cpu",
        "versions": {"jaxclr": "0.1.0", "jax": "0.10.2"}, "git_commit": "0123456789abcdef",
    }  # fmt: skip
    if not old:
        domains = [*(d for d in DOMAINS if d != target), target]
        results |= {
            "dataset": dataset, "domains": domains, "nll": 0.875, "ece": 12.5,
            "balanced_accuracy": accuracy, "macro_precision": 61.0, "macro_recall": 62.0,
            "macro_f1": 63.0,
        }  # fmt: skip
        rng = np.random.default_rng([seed, DOMAINS.index(target), int(accuracy)])
        seen = tested(rng, classes)
        # What an experiment leaves that asks for no sample of features.
        seen = seen if sample else seen._replace(features=None)
        write_tested(folder / "tested.npz", seen)
    (folder / "results.json").write_text(json.dumps(results | changes))
    lines = journal(20, accuracy, classes, guesses)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "experiment.txt").write_text(CODE.format(name=name, weight=weight))
    (folder / f"{target}_nlab9_seed{seed}.json").write_text(json.dumps({"train_x": [labels]}))
    return workdir / name


def draw_only(monkeypatch, *names):
    """Reports have no other pictures than these: drawing them takes seconds."""

    def chapters(material):
        return tuple(
            chapter._replace(pictures=tuple(p for p in chapter.pictures if p.name in names))
            for chapter in pictures.chapters(material)
        )

    monkeypatch.setattr(write, "chapters", chapters)
