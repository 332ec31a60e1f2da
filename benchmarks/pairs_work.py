"""What the losses alone work on; made by NumPy alone, the same on both sides."""

from typing import NamedTuple

import numpy as np

WIDTH = 128
"""Of the vectors; that of an embedding."""
TEMPERATURES = {"fixclr": 0.2, "ssc": 0.1, "nt_xent": 0.5}
SCALE2, DOF = 0.5, 3.0
LOSSES = ("fixclr", "ssc", "adc", "nt_xent")


class Size(NamedTuple):
    """Of a batch."""

    examples: int
    classes: int
    domains: int

    @property
    def title(self) -> str:
        """How tables call it."""
        return f"{self.examples:,}, {self.classes}, {self.domains}"


SIZES = (
    Size(96, 7, 3), Size(480, 65, 3), Size(2048, 345, 5), Size(8192, 62, 13), Size(16384, 200, 15),
)  # fmt: skip


class Pairs(NamedTuple):
    """Examples; domains vary fastest."""

    vectors: np.ndarray
    label: np.ndarray
    domain: np.ndarray
    weight: np.ndarray
    """One of every two is labeled, and of the others about a half is trusted."""
    prototypes: np.ndarray
    own_label: np.ndarray
    """As SSC has it: who is not trusted shares a label with one other view alone."""
    probe: np.ndarray
    """The gradient along it tells whether two gradients are the same."""


def pairs(size: Size) -> Pairs:
    """Gaussian vectors and classes at random."""
    rng, (n, k, domains) = np.random.default_rng(0), size
    vectors, probe = rng.standard_normal((2, n, WIDTH)).astype(np.float32)
    label = rng.integers(0, k, n).astype(np.int32)
    weight = np.where(np.arange(n) // domains % 2 == 0, 1, rng.integers(0, 2, n)).astype(np.float32)
    return Pairs(
        vectors,
        label,
        (np.arange(n) % domains).astype(np.int32),
        weight,
        rng.standard_normal((k, WIDTH)).astype(np.float32),
        np.where(weight > 0, label, k + np.arange(n) // 2).astype(np.int32),
        probe,
    )
