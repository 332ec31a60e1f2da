"""Convolution written out, and those that a network makes, for tests of networks."""

from typing import NamedTuple

import numpy as np
import pytest

from jaxclr.models.convolution import by_xla


class Made(NamedTuple):
    """A convolution that a network has made while it was traced."""

    kernel: tuple[int, ...]
    stride: int
    out: tuple[int, ...]

    @property
    def multiplications(self) -> int:
        """Those on padding among them."""
        side, _, inputs, _ = self.kernel
        return int(np.prod(self.out)) * side * side * inputs


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Made]:
    """Lists every convolution from now on."""
    made: list[Made] = []

    def convolve(x, kernel, stride):
        out = by_xla(x, kernel, stride)
        made.append(Made(kernel.shape, stride, out.shape))
        return out

    monkeypatch.setattr("jaxclr.models.convolution.convolve", convolve)
    return made


def convolved(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """A convolution padded by half its kernel on every side, offset after offset, in float64."""
    side, _, _, outputs = kernel.shape
    pad = side // 2
    _, h, w, _ = x.shape
    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    total = np.zeros((*x.shape[:3], outputs))
    for i in range(side):
        for j in range(side):
            total += padded[:, i : i + h, j : j + w] @ kernel[i, j].astype(np.float64)
    return total[:, ::stride, ::stride]
