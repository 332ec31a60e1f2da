"""Whether both sides compute the same: without that, ratios of their times mean nothing.

``python benchmarks/agree.py [--cases convnet-32 resnet-32 resnet-96]`` gives jaxclr's step, torch's
step as the field's code does it, and every variant of torch's best the same weights and batch, and
compares the loss and all weights and running statistics after a step. Ends with code 1 where they
differ.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import Contestant, cores
from torch_variants import CANDIDATES, VARIANTS, usable
from workload import CASES

QUICK = ("convnet-32", "resnet-32", "resnet-96")
LOSS_TOLERANCE, STEP_TOLERANCE = 1e-4, 2e-2


def moved(before: Path, after: Path, other: Path) -> tuple[float, str]:
    """How far two steps from the same arrays differ, relative to how far they went.

    Returns:
        The greatest ratio of norms over all arrays, and whose it is.
    """
    worst = 0.0, ""
    with np.load(before) as start, np.load(after) as one, np.load(other) as two:
        if set(one.files) != set(two.files):
            return np.inf, "the names"
        for name in one.files:
            way = np.linalg.norm(one[name] - start[name])
            apart = np.linalg.norm(one[name] - two[name])
            worst = max(worst, (float(apart / max(way, 1e-8)), name))
    return worst


def disagreements(name: str, variants: Sequence[str]) -> list[str]:
    """What differs in a case, one line each; none where all agree."""
    case, found, threads = CASES[name]._asdict(), [], len(cores())
    with tempfile.TemporaryDirectory() as folder:
        first, ours, theirs = (str(Path(folder) / f"{x}.npz") for x in ("first", "ours", "theirs"))
        with Contestant(
            "jaxclr", "jax_steps:step", threads=threads, case=case, first=first, after=ours
        ) as jaxclr:
            jaxclr.ready()
            told = jaxclr.tell()
        makers = {"as the field does": ("torch_field:step", {})}
        makers |= {v: ("torch_best:step", {"variant": v}) for v in variants}
        for title, (maker, more) in makers.items():
            with Contestant(
                title, maker, threads=threads, case=case, first=first, after=theirs, **more
            ) as torch:
                torch.ready()
                other = torch.tell()
            off = abs(other["loss"] - told["loss"]) / abs(told["loss"])
            apart, where = moved(Path(first), Path(ours), Path(theirs))
            line = (
                f"{name}, {title}: loss {other['loss']:.6f} and {told['loss']:.6f} ({off:.0e}), "
                f"{other['kept']:.0f} and {told['kept']:.0f} guesses trusted, "
                f"steps differ by {apart:.0e} at most ({where})"
            )
            print(line, flush=True)
            if not (off < LOSS_TOLERANCE and apart < STEP_TOLERANCE):
                found.append(line)
    return found


def check(cases: Sequence[str] = QUICK, variants: Sequence[str] = CANDIDATES) -> list[str]:
    """Compares all; returns, and prints, what differs."""
    found = [line for name in cases for line in disagreements(name, variants)]
    for line in found:
        print(f"disagrees: {line}", file=sys.stderr)
    return found


def main() -> int:
    """Compares what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=QUICK)
    parser.add_argument("--variants", nargs="*", choices=tuple(VARIANTS), default=usable())
    given = parser.parse_args()
    return 1 if check(given.cases, given.variants) else 0


if __name__ == "__main__":
    sys.exit(main())
