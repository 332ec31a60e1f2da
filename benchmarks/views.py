"""How fast views are made: by Pillow and by OpenCV on the host, and by JAX on the device.

``taskset -c 0,1 python benchmarks/views.py [--sizes 32 96 224] [--rounds 9]`` prints two tables and
writes ``views.json`` beside this file.

Pairs: a weak and a strong view of an image that has the views' size already, on one processor core
to which the process is pinned; the ways take turns in every round. For JAX the device is that core,
too. Compile time is told apart.

Waiting: the share of a step's time in which the loop waits for the next batch: the ConvNet of the
digits at 32 px by FixMatch, three domains of 16 + 16 images, one thread that makes batches ahead,
all cores that the process may use.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

WAYS = {"Pillow": ("pillow", "host"), "OpenCV": ("opencv", "host"), "JAX": ("pillow", "device")}
PAIRS, STEPS, DOMAINS, PER_DOMAIN, CLASSES = 48, 4, 3, 16, 10
Spread = dict[str, float]


def spread(values: list[float]) -> Spread:
    """Median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def pictures(count: int, size: int) -> np.ndarray:
    """Ramps under noise."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(20, 180, size)[:, None, None] * np.ones((size, size, 3))
    return np.stack([ramp + rng.integers(0, 60, ramp.shape) for _ in range(count)]).astype(np.uint8)


def pair_maker(way: str, size: int, images: np.ndarray) -> tuple[Callable[[int], None], float]:
    """A function that makes a pair of views of every image, and the seconds it took to compile."""
    import jax

    from jaxclr.pipeline.augment import Augment
    from jaxclr.training.views import of_places, strong, weak

    engine, where = WAYS[way]
    augment = Augment(size=size, engine=engine, where=where)

    def on_host(step: int) -> None:
        rng = np.random.default_rng(step)
        for image in images:
            augment.weak(image, rng)
            augment.strong(image, rng)

    @jax.jit
    def views(squares: jax.Array, step: int) -> tuple[jax.Array, jax.Array]:
        keys = [of_places(jax.random.key(2 * step + i), len(squares)) for i in (0, 1)]
        return weak(augment, squares, keys[0]), strong(augment, squares, keys[1])

    def on_device(step: int) -> None:
        jax.block_until_ready(views(images, step))

    make = on_device if where == "device" else on_host
    begun = time.perf_counter()
    make(0)
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    make(1)
    return make, max(first - (time.perf_counter() - begun), 0.0) if where == "device" else 0.0


def pairs(sizes: list[int], rounds: int) -> dict[str, Any]:
    """Pairs per second of each way at each size."""
    found: dict[str, Any] = {}
    for size in sizes:
        images = pictures(PAIRS, size)
        makers = {way: pair_maker(way, size, images) for way in WAYS}
        rates: dict[str, list[float]] = {way: [] for way in WAYS}
        for step in range(rounds):
            for way, (make, _) in makers.items():
                begun = time.perf_counter()
                make(step)
                rates[way].append(PAIRS / (time.perf_counter() - begun))
        found[str(size)] = {
            way: {**spread(rates[way]), "compile_seconds": makers[way][1]} for way in WAYS
        }
    return found


def stepper(way: str, rounds: int) -> Callable[[], tuple[float, float]]:
    """A function that makes some steps and returns the seconds of one, and those of its waiting."""
    import jax

    from jaxclr.main import load_experiment
    from jaxclr.pipeline.augment import digits
    from jaxclr.pipeline.batches import Batches, read_ahead
    from jaxclr.pipeline.source import Domain
    from jaxclr.pipeline.split import draw_split
    from jaxclr.training.state import Setting, initial_state
    from jaxclr.training.step import make_train_step

    engine, where = WAYS[way]
    experiment, count = load_experiment("digits_fixmatch"), 40 * CLASSES
    augment = dataclasses.replace(digits(), engine=engine, where=where)
    paths, label = tuple(map(str, range(count))), np.arange(count, dtype=np.int32) % CLASSES
    images = tuple(pictures(count, augment.size))
    sources = [Domain(str(d), paths, label, np.ones(count, bool), images) for d in range(DOMAINS)]
    names = tuple(map(str, range(CLASSES)))
    split, total = draw_split(sources, names, labels_per_class=10, seed=1), (rounds + 1) * STEPS
    batches = Batches(sources, split, augment, seed=1, steps=total, batch_per_domain=PER_DOMAIN)
    setting = Setting(
        experiment.model.build(CLASSES, seed=0), experiment.method,
        experiment.optimizer.build(steps=total), CLASSES, DOMAINS, total, augment.mean, augment.std,
        num_unlabeled=batches.unlabeled.size,
        augment=augment if where == "device" else None,
    )  # fmt: skip
    train_step = jax.jit(make_train_step(setting), donate_argnums=0)
    state = jax.tree.map(jax.numpy.copy, initial_state(setting))
    ahead: Iterator[Any] = iter(read_ahead(batches, 0, threads=1))

    def seconds() -> tuple[float, float]:
        nonlocal state
        begun, waited = time.perf_counter(), 0.0
        for _ in range(STEPS):
            asked = time.perf_counter()
            batch = next(ahead)
            waited += time.perf_counter() - asked
            state, metrics = train_step(state, batch)
            jax.block_until_ready(metrics)
        return (time.perf_counter() - begun) / STEPS, waited / STEPS

    seconds()
    return seconds


def waiting(rounds: int) -> dict[str, Any]:
    """Seconds of a step, and which share of it is waiting, of each way."""
    steppers = {way: stepper(way, rounds) for way in WAYS}
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, seconds in steppers.items():
            taken[way].append(seconds())
    return {
        way: {
            "seconds": spread([step for step, _ in times]),
            "share": spread([waited / step for step, waited in times]),
        }
        for way, times in taken.items()
    }


def told(found: Spread, scale: float = 1.0, digits: int = 0) -> str:
    """A median with its range, for a table."""
    median, least, most = (f"{scale * found[k]:.{digits}f}" for k in ("median", "min", "max"))
    return f"{median} ({least} to {most})"


def tables(found: dict[str, Any]) -> str:
    """What was found, in Markdown."""
    lines = ["| pairs a second | " + " | ".join(WAYS) + " |", "|---" * (len(WAYS) + 1) + "|"]
    for size, ways in found["pairs"].items():
        lines.append(f"| {size} px | " + " | ".join(told(ways[way]) for way in WAYS) + " |")
    lines += [
        "",
        "| 32 px, one thread | milliseconds a step | waiting for data, % |",
        "|---|---|---|",
    ]
    for way, seen in found["waiting"].items():
        lines.append(
            f"| {way} | {told(seen['seconds'], 1000, 1)} | {told(seen['share'], 100, 1)} |"
        )
    compiled = {
        size: round(ways["JAX"]["compile_seconds"], 1) for size, ways in found["pairs"].items()
    }
    return "\n".join([*lines, "", f"JAX compiled in seconds, by size: {compiled}."])


def processor() -> str:
    """The processor's name, where the system tells it."""
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":")[1].strip() for line in told.splitlines() if "model name" in line]
    return names[0] if names else platform.processor()


def apart(part: str, given: argparse.Namespace) -> dict[str, Any]:
    """One part in a process of its own, since cores are given to processes."""
    command = [sys.executable, __file__, "--part", part, "--rounds", str(given.rounds)]
    command += ["--sizes", *map(str, given.sizes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 96, 224], help="px")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--part", choices=["pairs", "waiting"], help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    given = parser.parse_args()
    if given.part:
        if given.part == "pairs":
            # Before jax is imported, which is when it counts the cores.
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            print(json.dumps(pairs(given.sizes, given.rounds)))
        else:
            print(json.dumps(waiting(given.rounds)))
        return
    packages = ("jax", "numpy", "pillow", "opencv-python-headless")
    found = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "rounds": given.rounds,
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "pairs": apart("pairs", given),
        "waiting": apart("waiting", given),
    }
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    print(tables(found))


if __name__ == "__main__":
    main()
