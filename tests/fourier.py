"""One style for a whole batch: NumPy's Fourier transform, frequency after frequency."""

import numpy as np


def standardised(x: np.ndarray, one: int, ratio: float) -> np.ndarray:
    """Every image with the low amplitudes of image ``one``: a loop over all there is."""
    out = np.empty(x.shape)
    b, h, w, channels = x.shape
    for e in range(b):
        for c in range(channels):
            own = np.fft.fft2(x[e, ..., c].astype(np.float64))
            lent = np.fft.fft2(x[one, ..., c].astype(np.float64))
            for u, v in np.ndindex(h, w):
                low = 2 * min(u, h - u) / h <= np.sqrt(ratio)
                if low and 2 * min(v, w - v) / w <= np.sqrt(ratio):
                    own[u, v] *= abs(lent[u, v]) / abs(own[u, v])
            out[e, ..., c] = np.fft.ifft2(own).real
    return out.clip(0, 1)
