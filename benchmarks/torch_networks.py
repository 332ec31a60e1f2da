"""The two networks of the workload in torch, module by module as jaxclr names them."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from workload import Case

Norm = Callable[[int], nn.Module]


class ConvNet(nn.Module):
    """Four times: 3 x 3 convolution, batch norm, ReLU, 2 x 2 max pool."""

    def __init__(self, norm: Norm, width: int = 64):
        super().__init__()
        for i in range(1, 5):
            conv = nn.Conv2d(width if i > 1 else 3, width, 3, padding=1, bias=False)
            setattr(self, f"conv{i}", conv)
            setattr(self, f"norm{i}", norm(width))

    def forward(self, x: Tensor) -> Tensor:
        """The last maps, flat."""
        for i in range(1, 5):
            x = getattr(self, f"norm{i}")(getattr(self, f"conv{i}")(x))
            x = F.max_pool2d(F.relu(x, inplace=True), 2)
        return x.flatten(1)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int, norm: Norm):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = norm(width)
        self.projects = stride != 1 or inputs != width
        if self.projects:
            self.downsample_conv = nn.Conv2d(inputs, width, 1, stride, bias=False)
            self.downsample_bn = norm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps of half the side where the block strides."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        if self.projects:
            x = self.downsample_bn(self.downsample_conv(x))
        return F.relu(out + x, inplace=True)


class ResNet(nn.Module):
    """ResNet-18: a stem, four stages of two blocks, and the mean over positions."""

    def __init__(self, norm: Norm, stem: str):
        super().__init__()
        self.stem = stem
        side, stride = (7, 2) if stem == "imagenet" else (3, 1)
        self.conv1 = nn.Conv2d(3, 64, side, stride, side // 2, bias=False)
        self.bn1 = norm(64)
        self.names, inputs = [], 64
        for stage in range(4):
            for i in range(2):
                name, width = f"layer{stage + 1}_{i}", 64 * 2**stage
                setattr(self, name, BasicBlock(inputs, width, 2 if stage and not i else 1, norm))
                self.names.append(name)
                inputs = width

    def forward(self, x: Tensor) -> Tensor:
        """Pooled features."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.max_pool2d(x, 3, 2, 1) if self.stem == "imagenet" else x
        for name in self.names:
            x = getattr(self, name)(x)
        return x.mean((2, 3))


class Network(nn.Module):
    """A backbone, and a linear classifier on its features."""

    def __init__(self, case: Case, norm: Norm = nn.BatchNorm2d):
        super().__init__()
        kind, _, stem = case.network.partition("-")
        self.backbone = ConvNet(norm) if kind == "convnet" else ResNet(norm, stem)
        self.maps = (case.size // 16) if kind == "convnet" else 1
        width = 64 * self.maps**2 if kind == "convnet" else 512
        self.head = nn.Linear(width, case.classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features."""
        features = self.backbone(x)
        return self.head(features), features

    def load(self, path: str) -> None:
        """Takes jaxclr's weights."""
        state = self.state_dict()
        with np.load(path) as found:
            for name, values in found.items():
                here, value = self._here(name, values)
                state[here].copy_(torch.from_numpy(value.copy()))

    def save(self, path: str) -> None:
        """Writes the weights, named and laid out as jaxclr's."""
        state, found = self.state_dict(), {}
        for name, tensor in state.items():
            if not name.endswith("num_batches_tracked"):
                there, value = self._there(name, tensor.numpy(force=True))
                found[there] = value
        np.savez(path, **found)

    def _here(self, name: str, value: np.ndarray) -> tuple[str, np.ndarray]:
        module, _, leaf = name.rpartition(".")
        if value.ndim == 4:
            value = value.transpose(3, 2, 0, 1)
        elif leaf == "kernel":
            # Features are flat maps: here channels come first, there last.
            maps = value.reshape(self.maps, self.maps, -1, value.shape[1])
            value = maps.transpose(3, 2, 0, 1).reshape(value.shape[1], -1)
        return f"{module}.{HERE[leaf]}", value

    def _there(self, name: str, value: np.ndarray) -> tuple[str, np.ndarray]:
        module, _, leaf = name.rpartition(".")
        if leaf == "weight":
            leaf = "scale" if value.ndim == 1 else "kernel"
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif value.ndim == 2:
            maps = value.reshape(len(value), -1, self.maps, self.maps)
            value = maps.transpose(2, 3, 1, 0).reshape(-1, len(value))
        return f"{module}.{THERE.get(leaf, leaf)}", value


HERE = {
    "kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean",
    "var": "running_var",
}  # fmt: skip
THERE = {"running_mean": "mean", "running_var": "var"}
