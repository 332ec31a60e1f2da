"""Frozen encoders: what a network that has learned elsewhere says of the same images."""

import abc
import dataclasses
from pathlib import Path

from jaxtyping import PyTree

from jaxclr.errors import InputError
from jaxclr.models.network import Model, PureNetwork
from jaxclr.models.resnet import ResNet
from jaxclr.models.store import is_own, read_own
from jaxclr.models.weights import load_resnet, read_arrays


@dataclasses.dataclass(frozen=True)
class Prior(abc.ABC):
    """Settings of a frozen encoder."""

    @abc.abstractmethod
    def load(self, *, target: str, seed: int) -> tuple[PureNetwork, tuple[PyTree, PyTree]] | None:
        """The network with its parameters and running statistics; None where there is none.

        Args:
            target: Domain that the run holds out.
            seed: Of the run.

        Raises:
            InputError: The weights cannot be read, or are not those of the model.
        """


@dataclasses.dataclass(frozen=True)
class NoPrior(Prior):
    """No encoder."""

    def load(self, *, target: str, seed: int) -> None:
        """Nothing."""
        return None


@dataclasses.dataclass(frozen=True)
class Encoder(Prior):
    """A backbone with weights of a file."""

    model: Model
    """The backbone; what follows it is not used."""
    weights: str
    """The weights.npz of a finished run, or, of a ResNet, a file with torchvision's names: .pth,
    .safetensors or .npz. ``{target}`` and ``{seed}`` in it stand for those of the run, so that
    every run has an encoder that has not seen its target either."""

    def load(self, *, target: str, seed: int) -> tuple[PureNetwork, tuple[PyTree, PyTree]]:
        """The network and its arrays; see :class:`Prior`."""
        file = self.weights.replace("{target}", target).replace("{seed}", str(seed))
        network, path = self.model.build(1, seed=0), Path(file)
        arrays = read_arrays(path)
        if is_own(arrays):
            return network, read_own(path, arrays, network.params, network.stats)
        if not isinstance(self.model, ResNet):
            raise InputError(
                f"{path} holds weights in torchvision's names, which only a ResNet has. Give a "
                "ResNet, or the weights.npz of a finished run of this model."
            )
        loaded = load_resnet(arrays, network.params, network.stats)
        return network, (loaded.params, loaded.stats)
