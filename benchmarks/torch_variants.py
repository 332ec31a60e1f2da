"""The ways in which torch's best step may be arranged; known without importing torch."""

import shutil
from typing import NamedTuple


class Variant(NamedTuple):
    """A way to arrange the step."""

    norm: str
    """``alone``: each domain by itself; ``parts``: one tensor, batch norm part by part; ``view``:
    one tensor, domains as further channels; ``composed``: one tensor, batch norm by sums."""
    channels_last: bool
    compiled: bool


VARIANTS = {
    "each domain, channels last": Variant("alone", True, False),
    "one tensor in parts, channels last": Variant("parts", True, False),
    "one tensor, domains as channels": Variant("view", False, False),
    "each domain, channels last, compiled": Variant("alone", True, True),
    "one tensor in parts, channels last, compiled": Variant("parts", True, True),
    "one tensor, sums, channels last, compiled": Variant("composed", True, True),
}
CANDIDATES = ("each domain, channels last", "one tensor in parts, channels last")
"""Who races for torch's best by default: with the ConvNet, the others that were tried took longer.
``bench.py --variants`` has all of them race with every network."""


def can_compile() -> bool:
    """Whether there is a C++ compiler, without which torch.compile does not work on the CPU."""
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


def usable() -> list[str]:
    """The names of the variants that this machine can run."""
    return [name for name, way in VARIANTS.items() if can_compile() or not way.compiled]
