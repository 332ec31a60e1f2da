"""Runs that never were, of any size."""

from pathlib import Path

import numpy as np

from jaxclr.records import Features, Mistakes, Predictions, Record

DOMAINS = ("print", "scan", "outline", "texture")


def record(
    experiment="fixclr", target="print", seed=1, *, classes=tuple("0123456789"), domains=DOMAINS,
    images=200, sample=60, mistakes=8, tests=6, skill=0.6,
):  # fmt: skip
    """A run with everything in it, drawn by its seed."""
    rng = np.random.default_rng([seed, len(experiment), len(target), int(100 * skill)])
    sources = [name for name in domains if name != target]
    results = {
        "experiment": experiment, "dataset": "digits", "target": target, "seed": seed,
        "classes": list(classes), "domains": [*sources, target],
        "domain_probe_accuracy": float(rng.uniform(60, 95)),
    }  # fmt: skip
    lines = []
    for test in range(1, tests + 1):
        for part in (0.5, 1.0):
            lines.append(window(rng, round((test - 1 + part) * 100), tests * 100))
        lines.append(tested(rng, test * 100, tests * 100, skill, sources, classes))
    return Record(
        Path(experiment, target, f"seed{seed}"), results, lines, "",
        predictions(rng, images, len(classes), skill),
        features(rng, sample, len(classes), len(domains)), surest(rng, mistakes, len(classes)),
    )  # fmt: skip


def window(rng, step, steps):
    return {
        "step": step, "loss": 2 - step / steps + rng.normal(0, 0.05),
        "supervised": 1 - 0.7 * step / steps, "consistency": abs(rng.normal(0.3, 0.1)),
        "repulsion": abs(rng.normal(3, 0.2)), "repulsion_gradient": 0.1,
        "pseudo_label_keep_rate": min(100.0, 100 * step / steps * rng.uniform(0.8, 1)),
        "pseudo_label_accuracy": None if step < 100 else rng.uniform(80, 99),
    }  # fmt: skip


def tested(rng, step, steps, skill, sources, classes):
    def of(names, low, high):
        return {name: float(rng.uniform(low, high)) for name in names}

    accuracy = 100 * skill * (1 - np.exp(-3 * step / steps)) + rng.normal(0, 1)
    by_class = of(classes, 60, 100)
    by_class[classes[0]] = None
    return {
        "step": step, "accuracy": float(accuracy), "source_accuracy": min(100.0, accuracy + 25),
        "accuracy_per_class": [float(accuracy)] * len(classes),
        "pseudo_label_keep_rate_by_domain": of(sources, 20, 90),
        "pseudo_label_accuracy_by_domain": of(sources, 80, 99),
        "pseudo_label_keep_rate_by_class": of(classes, 0, 100),
        "pseudo_label_accuracy_by_class": by_class,
    }  # fmt: skip


def predictions(rng, images, k, skill):
    label = rng.integers(k, size=images).astype(np.int32)
    right = rng.uniform(size=images) < skill
    guess = np.where(right, label, (label + rng.integers(1, max(k, 2), size=images)) % k)
    confidence = rng.beta(6, 2, size=images).astype(np.float32)
    truth = np.where(guess == label, confidence, (1 - confidence) / 2).astype(np.float32)
    path = tuple(f"some/folder/of/images/{i:05d}.png" for i in range(images))
    return Predictions(path, label, guess.astype(np.int32), confidence, truth)


def features(rng, sample, k, n):
    label = rng.integers(k, size=sample).astype(np.int32)
    domain = np.sort(np.arange(sample) % n).astype(np.int32)
    centres, shifts = 2 * rng.normal(size=(k, 8)), rng.normal(size=(n, 8))
    noise = rng.normal(0, 0.5, (sample, 8))
    return Features((centres[label] + shifts[domain] + noise).astype(np.float32), domain, label)


def surest(rng, count, k):
    label = rng.integers(k, size=count).astype(np.int32)
    images = rng.integers(256, size=(count, 32, 32, 3), dtype=np.uint8)
    sure = np.sort(rng.uniform(0.5, 1, count).astype(np.float32))[::-1].copy()
    path = tuple(f"print/{i}/a_rather_long_name_of_a_file_{i:05d}.png" for i in range(count))
    return Mistakes(images, path, label, (label + 1) % k, sure)
