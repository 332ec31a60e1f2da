"""All benchmarks: prints every figure beside its reach, and writes results.json and README.md.

``python benchmarks/bench.py [--only steps losses ...] [--cases convnet-32 ...]``; both
files are written whole at the end, or not at all where something failed. Sections that were not
run keep what was measured of them before.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable

import agree
import fixed
import growth
import losses
import steps
from findings import README, RESULTS, Section, filled, measured, stored, written
from pairs_work import SIZES
from workload import CASES


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=("agree", "steps", "losses", "fixed", "growth"), default=None
    )
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=tuple(CASES))
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="so many, the small first")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of rounds")
    parser.add_argument(
        "--variants", action="store_true", help="let torch's compiled variants race, too; slow"
    )
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def main() -> int:
    """Measures, prints and writes."""
    given, begun = parsed(), time.perf_counter()
    sections: dict[str, Callable[[], Section]] = {
        "steps": lambda: steps.measure(given.cases, scale=given.scale, every=given.variants),
        "losses": lambda: losses.measure(SIZES[: given.sizes]),
        "fixed": fixed.measure,
        "growth": growth.measure,
    }
    chosen = given.only or ["agree", *sections]
    if "agree" in chosen and agree.check():
        return 1
    found = {name: measured(name, sections[name]) for name in sections if name in chosen}
    print(f"All took {time.perf_counter() - begun:.0f} s.")
    whole = given.cases == tuple(CASES) and given.sizes == len(SIZES)
    if not whole:
        print("Nothing is written: not every case was measured.")
    if whole and not given.dry and found:
        everything = {**stored(), **found}
        text = filled(README.read_text(), everything)
        if "growth" in found:
            growth.draw([growth.Point(**p) for p in found["growth"]["raw"]["points"]])
        written(RESULTS, json.dumps(everything, indent=1) + "\n")
        written(README, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
