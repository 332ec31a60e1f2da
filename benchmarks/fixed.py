"""What does not depend on the arithmetic: the start, dispatch, waiting for data, saving, memory.

The start is that of ``python -m jaxclr.main``: until the line of the first step stands in
``metrics.jsonl``, in seconds of the clock and of the processor, cold and with a compile cache that
an earlier start has filled.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from findings import Finding, Section, doing, table, told
from measure import (
    HERE,
    Contestant,
    Spread,
    Times,
    cores,
    cpu_seconds,
    spread,
    together,
)
from steps import write_first
from workload import CASES

EXPERIMENTS = {"ConvNet-4": "digits_fixclr", "ResNet-18": str(HERE / "digits_resnet18.py")}
REACH = {("ConvNet-4", "cold"): 8.0, ("ConvNet-4", "warm"): 3.0, ("ResNet-18", "cold"): 15.0}
EVERYTHING = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
LIMIT = 300.0
MIB = 2.0**20


def measure(*, starts: int = 3) -> Section:
    """Starts runs, and times what lies between steps.

    Args:
        starts: Of the ConvNet, cold ones and as many warm ones; of the ResNet one each.
    """
    findings, raw = [], {}
    for name, experiment in EXPERIMENTS.items():
        doing(f"starts of {name}")
        many = starts if name == "ConvNet-4" else 1
        times = started(experiment, many, many)
        raw[name] = times
        for how, found in times.items():
            for which in ("cpu", "wall"):
                value = spread(getattr(t, which) for t in found)
                reach = REACH.get((name, how)) if which == "cpu" else None
                title = f"{name}: from the command to the first step, {how}, {which}"
                findings.append(Finding(title, value, "s", reach, False))
    more, raw["between"] = between()
    findings += more
    rows = [(f.name, told(f.value), f.unit) for f in findings if f.reach is None]
    return Section(findings, table(("figure", "median (range)", "unit"), rows), raw)


def started(experiment: str, cold: int, warm: int) -> dict[str, list[Times]]:
    """Times to the first step, cold, and with a cache that one more start has filled."""
    with tempfile.TemporaryDirectory() as folder:
        without = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
        cached = {"JAX_COMPILATION_CACHE_DIR": folder, **EVERYTHING}
        found = {"cold": [start(experiment, without) for _ in range(cold)]}
        start(experiment, cached)
        return {**found, "warm": [start(experiment, cached) for _ in range(warm)]}


def start(experiment: str, variables: Mapping[str, str]) -> Times:
    """Starts one run, and ends it after its first step."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "jaxclr.main", f"--experiment={experiment}"),
            *("--workdir", folder, "--targets", "scan", "--log-every", "1"),
        ]
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, "JAX_PLATFORMS": "cpu", **variables}, cwd=HERE.parent,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            while not stepped(Path(folder)):
                if process.poll() is not None:
                    raise RuntimeError(f"{' '.join(command)} failed:\n{process.stdout.read()}")
                if time.perf_counter() - begun > LIMIT:
                    raise RuntimeError(f"{' '.join(command)} made no step in {LIMIT:.0f} s.")
                time.sleep(0.005)
            return Times(time.perf_counter() - begun, cpu_seconds(process.pid))
        finally:
            process.kill()
            process.communicate()


def stepped(folder: Path) -> bool:
    """Whether a run in the folder has written the line of a step."""
    return any('"loss"' in path.read_text() for path in folder.glob("*/*/seed*/metrics.jsonl"))


def between() -> tuple[list[Finding], dict[str, Any]]:
    """What a step costs beside its arithmetic, on all cores; memory at rest also of torch."""
    doing("what lies between steps")
    told_by, torch_rest = at_rest()
    shares = waiting(5)
    raw = {"overheads": told_by, "waiting": shares, "torch_resident": torch_rest}
    return told_between(told_by, shares, torch_rest), raw


def at_rest() -> tuple[dict[str, Any], float]:
    """What jaxclr tells of its steps, and the bytes that torch holds after some."""
    case, threads = CASES["convnet-32"]._asdict(), len(cores())
    with tempfile.TemporaryDirectory() as folder:
        first = str(Path(folder) / "first.npz")
        write_first("convnet-32", first)
        ours = Contestant("overheads", "jax_fixed:overheads", threads=threads, case=case)
        torch = Contestant("torch", "torch_field:step", threads=threads, case=case, first=first)
        with together([ours, torch]):
            ours.steps(5)
            torch.steps(5)
            return ours.tell(), torch.resident()


def waiting(rounds: int) -> dict[str, list[float]]:
    """The share of its time that a step waits for a batch, by each way to make views."""
    shares = {}
    ways = ("Pillow", "OpenCV") if importlib.util.find_spec("cv2") else ("Pillow",)
    for way in ways:
        with Contestant(
            way, "jax_fixed:waiting", threads=len(cores()), way=way, rounds=rounds
        ) as contestant:
            contestant.ready()
            for _ in range(rounds):
                contestant.steps(1)
            shares[way] = contestant.tell()["shares"]
    return shares


def told_between(
    told_by: dict[str, Any], shares: dict[str, list[float]], torch_rest: float
) -> list[Finding]:
    """What these times and sizes say."""
    dispatch, saving = told_by["dispatch"], told_by["saving"]
    over = spread(s / t for s, t in zip(saving["stall"][1:], saving["step"][1:], strict=True))
    rest, arrays = (Spread(x, x, x) for x in (told_by["resident"] / MIB, torch_rest / MIB))
    return [
        Finding(
            "Dispatch of a step, CPU of its thread",
            spread(1000 * x for x in dispatch["thread"]), "ms", 2.0, False,
        ),
        Finding("Dispatch of a step, wall", spread(1000 * x for x in dispatch["wall"]), "ms"),
        *(
            Finding(
                f"Waiting for data, share of a step, {way}",
                spread(100 * x for x in found), "%", 5.0 if way == "Pillow" else None, False,
            )
            for way, found in shares.items()
        ),
        Finding("A save blocks, over a step", over, "times", 1.0, False),
        Finding("A save blocks", spread(1000 * x for x in saving["stall"][1:]), "ms"),
        Finding("Memory at rest, jaxclr", rest, "MiB"),
        Finding("Memory at rest, torch as the field does it", arrays, "MiB"),
    ]  # fmt: skip
