"""Which accelerators this machine has, and how a process is shown some of them only."""

import os
import subprocess
import sys
from typing import NamedTuple

from jaxclr.errors import InputError, JaxclrError

ASK = """
import jax
devices = jax.local_devices()
platform = devices[0].platform
if platform == "gpu":
    platform = "rocm" if "rocm" in devices[0].client.platform_version.lower() else "cuda"
# Some TPU chips have two cores, and a process can only have the whole chip.
print(platform, len({tuple(d.coords) if platform == "tpu" else d.id for d in devices}))
"""

ONE_CHIP = {"TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1", "TPU_PROCESS_BOUNDS": "1,1,1"}

SHARED_MEMORY = 0.9
"""Of an accelerator's memory, what the runs on it take together where several share it."""


class Accelerators(NamedTuple):
    """What JAX finds on this machine."""

    platform: str
    """``cuda``, ``rocm``, ``tpu`` or ``cpu``."""
    number: int
    """Devices; of a TPU, chips."""


def accelerators() -> Accelerators:
    """Asks JAX in a process of its own, so that this one takes no accelerator's memory.

    Raises:
        JaxclrError: JAX does not start.
    """
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True,
        env={**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
    )  # fmt: skip
    if done.returncode != 0:
        raise JaxclrError(f"JAX finds no device: {done.stderr.strip().splitlines()[-1]}")
    platform, count = done.stdout.split()[-2:]
    return Accelerators(platform, int(count))


def slots(found: Accelerators, jobs: int | None, per_run: int | None) -> list[dict[str, str]]:
    """The environment of every run of those that go at the same time.

    Args:
        found: What there is.
        jobs: How many go at the same time; None: one for each accelerator, or for two processors
            where there are none. If there are more than accelerators, some share one.
        per_run: Accelerators that each run sees; None: one.

    Raises:
        InputError: There are not so many accelerators.
    """
    variable = _variable(found.platform)
    if variable is None:
        if per_run is not None:
            raise InputError("--gpus-per-run: JAX finds no accelerator here.")
        return [{}] * (jobs or max(_processors() // 2, 1))
    each = 1 if per_run is None else per_run
    groups = found.number // each
    if groups == 0 or (found.platform == "tpu" and each > 1):
        most = 1 if found.platform == "tpu" else found.number
        raise InputError(f"--gpus-per-run is {each}; on this machine, it can be {most} at most.")
    names = [name for name in os.environ.get(variable, "").split(",") if name]
    names = names or [str(number) for number in range(found.number)]
    fixed = ONE_CHIP if found.platform == "tpu" else {}
    shown = [
        {variable: ",".join(names[each * group : each * (group + 1)]), **fixed}
        for group in range(groups)
    ]
    jobs = jobs or groups
    if jobs > groups and "XLA_PYTHON_CLIENT_MEM_FRACTION" not in os.environ:
        share = SHARED_MEMORY / -(-jobs // groups)
        shown = [{**one, "XLA_PYTHON_CLIENT_MEM_FRACTION": f"{share:.3f}"} for one in shown]
    return [shown[slot % groups] for slot in range(jobs)]


def _processors() -> int:
    """Those that this process may use, where the system can tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _variable(platform: str) -> str | None:
    """The variable that says which accelerators a process sees; None where there is none."""
    if platform == "rocm" and "HIP_VISIBLE_DEVICES" in os.environ:
        return "HIP_VISIBLE_DEVICES"
    known = {
        "cuda": "CUDA_VISIBLE_DEVICES", "rocm": "ROCR_VISIBLE_DEVICES", "tpu": "TPU_VISIBLE_CHIPS",
    }  # fmt: skip
    return known.get(platform)
