"""Frozen encoders: what a network that has learned elsewhere says of the same images."""

import abc
import dataclasses

from jaxtyping import PyTree

from jaxclr.models.network import Model, PureNetwork
from jaxclr.models.pretrained import pretrained


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
    """The backbone; what follows it is not used, and its own ``weights`` are not either."""
    weights: str
    """The weights.npz of a finished run, or, of a ResNet or Vit, a file in the names of torchvision
    or timm, .pth, .safetensors or .npz, or hf:<repository>. ``{target}`` and ``{seed}`` in it
    stand for those of the run, so that every run has an encoder that has not seen its target
    either."""

    def load(self, *, target: str, seed: int) -> tuple[PureNetwork, tuple[PyTree, PyTree]]:
        """The network and its arrays; see :class:`Prior`."""
        network, _ = pretrained(
            self.model, self.model.build(1, seed=0),
            weights=self.weights, target=target, seed=seed,
        )  # fmt: skip
        return network, (network.params, network.stats)
