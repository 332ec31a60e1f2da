"""Narrow networks for style transfer, and the same networks as loops in NumPy."""

import numpy as np

# Of the convolutions, in the port's two torch.nn.Sequential: place -> channels out.
ENCODER = {0: 3, 2: 4, 5: 4, 9: 5, 12: 5, 16: 6, 19: 6, 22: 6, 25: 6, 29: 7}
DECODER = {1: 6, 5: 6, 8: 6, 11: 6, 14: 5, 18: 5, 21: 4, 25: 4, 28: 3}
POOLED_BEFORE = (9, 16, 29)
DOUBLED_BEFORE = (5, 18, 25)


def drawn(channels: dict[int, int], inputs: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights of a size that keeps what flows at about one."""
    rng, arrays = np.random.default_rng(seed), {}
    for place, outputs in channels.items():
        side = 1 if place == 0 else 3
        weight = rng.normal(size=(outputs, inputs, side, side)) * np.sqrt(1.5 / inputs) / side
        arrays[f"{place}.weight"] = weight.astype(np.float32)
        arrays[f"{place}.bias"] = rng.uniform(0, 0.3, outputs).astype(np.float32)
        inputs = outputs
    return arrays


def encoder(seed: int = 0) -> dict[str, np.ndarray]:
    return drawn(ENCODER, 3, seed)


def decoder(seed: int = 1) -> dict[str, np.ndarray]:
    return drawn(DECODER, 7, seed)


def images(b: int = 2, h: int = 16, w: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(b, h, w, 3)).astype(np.float32)


def convolved(x, weight, bias):
    """A convolution whose border reflects, for each output channel and kernel entry by itself."""
    outputs, inputs, side, _ = weight.shape
    pad = side // 2
    _, h, w, _ = x.shape
    rows, columns = (mirrored(n, pad) for n in (h, w))
    padded = x[:, rows][:, :, columns]
    out = np.zeros((*x.shape[:3], outputs)) + bias
    for o in range(outputs):
        for c in range(inputs):
            for i in range(side):
                for j in range(side):
                    out[..., o] += weight[o, c, i, j] * padded[:, i : i + h, j : j + w, c]
    return out


def mirrored(n: int, pad: int) -> list[int]:
    """Places along an axis, continued beyond both ends as in a mirror that stands on the last."""
    around = [*range(n), *range(n - 2, 0, -1)]
    return [around[place % len(around)] for place in range(-pad, n + pad)]


def encoded(arrays, x):
    """relu4_1 of the images."""
    x = np.asarray(x, np.float64)
    for place in ENCODER:
        if place in POOLED_BEFORE:
            b, h, w, c = x.shape
            x = x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))
        x = convolved(x, arrays[f"{place}.weight"], arrays[f"{place}.bias"])
        x = np.maximum(x, 0) if place else x
    return x


def decoded(arrays, x):
    """Images of the features."""
    x = np.asarray(x, np.float64)
    for place in DECODER:
        x = np.kron(x, np.ones((1, 2, 2, 1))) if place in DOUBLED_BEFORE else x
        x = convolved(x, arrays[f"{place}.weight"], arrays[f"{place}.bias"])
        x = x if place == 28 else np.maximum(x, 0)
    return x


def aligned(content, style, epsilon=1e-5):
    """AdaIN for every image and channel by itself."""
    out = np.array(content, np.float64)
    for b in range(len(out)):
        for c in range(out.shape[-1]):
            x, y = out[b, ..., c], np.asarray(style[b, ..., c], np.float64)
            scale = np.sqrt(y.var() + epsilon) / np.sqrt(x.var() + epsilon)
            out[b, ..., c] = (x - x.mean()) * scale + y.mean()
    return out


def restyled(encoder, decoder, images, partner, alpha):
    """Images decoded from a mixture of their own features and those aligned with a partner's."""
    content = encoded(encoder, images)
    styled = aligned(content, content[partner])
    return decoded(decoder, (1 - alpha) * content + alpha * styled).clip(0, 1)
