"""Convolution written out, for tests of networks."""

import numpy as np


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
