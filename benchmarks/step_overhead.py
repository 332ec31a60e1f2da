"""What FixCLR adds to the time of FixMatch's step: the two in turn, in one process.

``python benchmarks/step_overhead.py [--model resnet --size 96] [--rounds 15]`` prints the median,
minimum and maximum of the ratio over the rounds. Compile time is left out. Pin the process to
processors of its own (``taskset -c 0``) where others run beside it.
"""

import argparse
import statistics
import time

import jax
import numpy as np

from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Method
from jaxclr.models.convnet import ConvNet
from jaxclr.models.resnet import ResNet
from jaxclr.optim import Sgd
from jaxclr.training.state import Setting, initial_state
from jaxclr.training.step import make_train_step
from jaxclr.types import Batch, Views

DOMAINS, PER_DOMAIN, CLASSES = 3, 16, 10


def random_batch(size: int) -> Batch:
    """The protocol's batch with noise for images."""
    rng = np.random.default_rng(0)

    def views() -> Views:
        count = DOMAINS * PER_DOMAIN
        weak, strong = rng.integers(0, 256, (2, count, size, size, 3), dtype=np.uint8)
        label = rng.integers(0, CLASSES, count).astype(np.int32)
        domain = np.tile(np.arange(DOMAINS, dtype=np.int32), PER_DOMAIN)
        return Views(weak, strong, label, domain, np.arange(count, dtype=np.int32))

    return Batch(views(), views())


def main() -> None:
    """Times both steps and prints their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("convnet", "resnet"), default="convnet")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=4, help="in each timing")
    given = parser.parse_args()
    model = ConvNet(size=given.size) if given.model == "convnet" else ResNet()
    network, batch = model.build(CLASSES, seed=0), jax.device_put(random_batch(given.size))

    def timer(method: Method):
        setting = Setting(
            network, method, Sgd().build(steps=1000), CLASSES, DOMAINS, 1000, (0.5,) * 3, (0.5,) * 3
        )
        train_step = jax.jit(make_train_step(setting), donate_argnums=0)
        state = jax.tree.map(jax.numpy.copy, initial_state(setting))
        state, _ = jax.block_until_ready(train_step(state, batch))

        def seconds() -> float:
            nonlocal state
            begun = time.perf_counter()
            for _ in range(given.steps):
                state, metrics = train_step(state, batch)
            jax.block_until_ready(metrics)
            return (time.perf_counter() - begun) / given.steps

        return seconds

    # A threshold of 0 trusts every guess, so that both methods have their full work.
    base = fixmatch(threshold=0.0)
    without, added = timer(base), timer(fixclr(base))
    pairs = [(without(), added()) for _ in range(given.rounds)]
    ratios = [b / a for a, b in pairs]
    print(
        f"{given.model} {given.size} px, {jax.devices()[0].device_kind}: FixMatch "
        f"{statistics.median(a for a, _ in pairs):.4f} s, with FixCLR "
        f"{statistics.median(b for _, b in pairs):.4f} s; ratio {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f}, {given.rounds} rounds of {given.steps} steps)"
    )


if __name__ == "__main__":
    main()
