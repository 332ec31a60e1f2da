"""How long the steps of experiments take beside each other: in turn, in one process.

``python benchmarks/step_overhead.py digits_fixmatch digits_fixclr [--size 32] [--rounds 15]``
prints the median, minimum and maximum of each experiment's step time over that of the first one.
The images are noise, three domains of 16 + 16 in a batch; which guesses are trusted costs nothing,
since what is not trusted is computed, too. Compile time is left out. Pin the process to processors
of its own (``taskset -c 0``) where others run beside it.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np

from jaxclr.main import load_experiment
from jaxclr.training.state import Frozen, Setting, initial_state
from jaxclr.training.step import make_train_step
from jaxclr.types import Batch, Views

DOMAINS, PER_DOMAIN, CLASSES = 3, 16, 10


def random_batch(size: int) -> Batch:
    """The protocol's batch with noise for images."""
    rng = np.random.default_rng(0)

    def views() -> Views:
        count = DOMAINS * PER_DOMAIN
        weak, strong, second = rng.integers(0, 256, (3, count, size, size, 3), dtype=np.uint8)
        label = rng.integers(0, CLASSES, count).astype(np.int32)
        domain = np.tile(np.arange(DOMAINS, dtype=np.int32), PER_DOMAIN)
        return Views(weak, strong, label, domain, np.arange(count, dtype=np.int32), second)

    return Batch(views(), views())


def timer(name: str, batch: Batch, steps: int) -> Callable[[], float]:
    """A function that makes some steps of an experiment and returns the seconds of one."""
    experiment = load_experiment(name)
    setting = Setting(
        experiment.model.build(CLASSES, seed=0), experiment.method,
        experiment.optimizer.build(steps=1000), CLASSES, DOMAINS, 1000, (0.5,) * 3, (0.5,) * 3,
        num_unlabeled=DOMAINS * PER_DOMAIN, ema_decay=experiment.ema_decay,
    )  # fmt: skip
    train_step = jax.jit(make_train_step(setting), donate_argnums=0)
    frozen = Frozen(style=experiment.method.style.load())
    state = jax.tree.map(jax.numpy.copy, initial_state(setting))
    state, _ = jax.block_until_ready(train_step(state, batch, frozen))

    def seconds() -> float:
        nonlocal state
        begun = time.perf_counter()
        for _ in range(steps):
            state, metrics = train_step(state, batch, frozen)
        jax.block_until_ready(metrics)
        return (time.perf_counter() - begun) / steps

    return seconds


def main() -> None:
    """Times all steps and prints their ratios to the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--size", type=int, default=32, help="side of the images, px")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=4, help="in each timing")
    given = parser.parse_args()
    batch = jax.device_put(random_batch(given.size))
    timers = [timer(name, batch, given.steps) for name in given.experiments]
    rounds = [[seconds() for seconds in timers] for _ in range(given.rounds)]
    print(f"{jax.devices()[0].device_kind}, {given.size} px, {given.rounds} rounds")
    for i, name in enumerate(given.experiments):
        ratios = [times[i] / times[0] for times in rounds]
        print(
            f"{name}: {statistics.median(times[i] for times in rounds):.4f} s, ratio "
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        )


if __name__ == "__main__":
    main()
