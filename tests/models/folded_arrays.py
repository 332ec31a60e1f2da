"""A ResNet of one block a stage in torchvision's names, folded and not, as loops in NumPy."""

import numpy as np

WIDTHS = (64, 128, 256, 512)
EPSILON = 1e-5


def convolutions() -> dict[str, tuple[int, int, int]]:
    """Of each convolution: channels out and in, side of its kernel."""
    found, inputs = {"conv1": (64, 3, 7)}, 64
    for stage, width in enumerate(WIDTHS, 1):
        name = f"layer{stage}.0"
        found[f"{name}.conv1"], found[f"{name}.conv2"] = (width, inputs, 3), (width, width, 3)
        if inputs != width:
            found[f"{name}.downsample.0"] = (width, inputs, 1)
        inputs = width
    return found


def norm_of(conv: str) -> str:
    """The batch norm that follows a convolution."""
    return conv.removesuffix("0") + "1" if "downsample" in conv else conv.replace("conv", "bn")


def drawn(num_classes: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A random network, without running statistics; some of its scales are negative."""
    rng, arrays = np.random.default_rng(seed), {}
    for name, (outputs, inputs, side) in convolutions().items():
        spread = np.sqrt(2 / (inputs * side * side))
        arrays[f"{name}.weight"] = spread * rng.normal(size=(outputs, inputs, side, side))
        sign = rng.choice([-1, 1, 1, 1], outputs)
        arrays[f"{norm_of(name)}.weight"] = sign * rng.uniform(0.5, 1.5, outputs)
        arrays[f"{norm_of(name)}.bias"] = 0.3 * rng.normal(size=outputs)
    arrays["fc.weight"] = 0.1 * rng.normal(size=(num_classes, 512))
    arrays["fc.bias"] = rng.normal(size=num_classes)
    return arrays


def convolved(x, weight, stride):
    """A convolution padded by half its kernel on every side, offset after offset."""
    side, (_, h, w, _) = weight.shape[2], x.shape
    pad = side // 2
    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    total = 0
    for i in range(side):
        for j in range(side):
            moved = padded[:, i : i + h : stride, j : j + w : stride]
            total = total + moved @ weight[:, :, i, j].T
    return total


def pooled(x):
    """The maximum of 3 x 3 windows at stride 2, one pixel of padding."""
    _, h, w, _ = x.shape
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    windows = [padded[:, i : i + h : 2, j : j + w : 2] for i in range(3) for j in range(3)]
    return np.max(windows, 0)


def logits(arrays, images, norm):
    """What the network says, where ``norm(name, x)`` stands behind the convolution of a name."""

    def layer(name, x, stride):
        return norm(name, convolved(x, arrays[f"{name}.weight"], stride))

    x = np.asarray(images, np.float64)
    x = pooled(np.maximum(layer("conv1", x, 2), 0))
    for stage in range(1, 5):
        name, stride = f"layer{stage}.0", 1 if stage == 1 else 2
        out = np.maximum(layer(f"{name}.conv1", x, stride), 0)
        out = layer(f"{name}.conv2", out, 1)
        if stage > 1:
            x = layer(f"{name}.downsample.0", x, stride)
        x = np.maximum(out + x, 0)
    return x.mean((1, 2)) @ arrays["fc.weight"].T + arrays["fc.bias"]


def affine(arrays, norm, x, mean, var):
    scale = arrays[f"{norm}.weight"] / np.sqrt(var + EPSILON)
    return (x - mean) * scale + arrays[f"{norm}.bias"]


def with_statistics(arrays, images):
    """The network with the running statistics of some images, layer by layer."""
    seen = {}

    def norm(conv, x):
        name, mean, var = norm_of(conv), x.mean((0, 1, 2)), x.var((0, 1, 2))
        seen.update({f"{name}.running_mean": mean, f"{name}.running_var": var})
        return affine(arrays, name, x, mean, var)

    logits(arrays, images, norm)
    return arrays | seen


def evaluated(arrays, images):
    """Logits by running statistics."""

    def norm(conv, x):
        name = norm_of(conv)
        mean, var = (arrays[f"{name}.running_{what}"] for what in ("mean", "var"))
        return affine(arrays, name, x, mean, var)

    return logits(arrays, images, norm)


def folded(arrays):
    """The same network with convolutions that have biases in place of batch norms."""
    found = {name: arrays[name] for name in ("fc.weight", "fc.bias")}
    for conv in convolutions():
        norm = norm_of(conv)
        mean, var = (arrays[f"{norm}.running_{what}"] for what in ("mean", "var"))
        factor = arrays[f"{norm}.weight"] / np.sqrt(var + EPSILON)
        found[f"{conv}.weight"] = arrays[f"{conv}.weight"] * factor[:, None, None, None]
        found[f"{conv}.bias"] = arrays[f"{norm}.bias"] - mean * factor
    return found


def single(arrays):
    """In the precision that files have."""
    return {name: x.astype(np.float32) for name, x in arrays.items()}
