"""Weights that a network starts from: found by name, read, and put in."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxclr.errors import InputError
from jaxclr.models.network import Model, PureNetwork
from jaxclr.models.restore import is_folded, restore_batch_norm, unfolded
from jaxclr.models.store import is_own, read_own
from jaxclr.models.weights import Naming, load, read_arrays, sha256

HUB = "hf:"
ON_HUB = "model.safetensors"

Images = Callable[[], Float[np.ndarray, "b h w 3"]]
"""Gives normalised images of the source domains."""


class Origin(NamedTuple):
    """Where weights came from, for the record."""

    file: str
    sha256: str
    """Of the file."""
    loaded: str
    """What of the network was loaded, and what was left as it is."""


def pretrained(
    model: Model, network: PureNetwork, images: Images | None = None, *,
    weights: str, target: str, seed: int,
) -> tuple[PureNetwork, Origin]:  # fmt: skip
    """Puts weights of a file into a network.

    Args:
        model: What the network was built from.
        network: With initial weights.
        images: Batch norm that was folded into convolutions is restored from what this gives; of
            none, the network says the same, but is not to be trained.
        weights: A file or ``hf:<repository>``; see :class:`Model`.
        target: Stands for ``{target}`` in ``weights``.
        seed: Stands for ``{seed}``.

    Returns:
        The network with the weights put in, and where they came from.

    Raises:
        InputError: The weights are not to be had, or are those of another network.
    """
    weights = weights.replace("{target}", target).replace("{seed}", str(seed))
    hub = weights.startswith(HUB)
    path = downloaded(weights.removeprefix(HUB)) if hub else Path(weights).expanduser()
    network, loaded = _filled(model, network, images, path)
    return network, Origin(weights, sha256(path), loaded)


def downloaded(repository: str) -> Path:
    """The weights of a repository of the Hugging Face hub, fetched unless they were before.

    Args:
        repository: Such as ``timm/resnet18.tv_in1k``.

    Returns:
        The ``model.safetensors`` in the hub's cache.

    Raises:
        InputError: It cannot be fetched.
    """
    instead = f"Or download its {ON_HUB} elsewhere and give the path of that."
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise InputError(
            f"{HUB}{repository} is fetched by huggingface_hub, which is not installed: pip install "
            f"'jaxclr[hub]'. {instead}"
        ) from error
    try:
        return Path(hf_hub_download(repository, ON_HUB))
    except (OSError, ValueError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{HUB}{repository} cannot be fetched: {first} Is there a network, and is the name "
            f"right? {instead}"
        ) from error


def _filled(
    model: Model, network: PureNetwork, images: Images | None, path: Path
) -> tuple[PureNetwork, str]:
    """The network with the weights of a file, and a report."""
    arrays, assumed = read_arrays(path), frozenset()
    if is_own(arrays):
        loaded = read_own(path, arrays, network.params, network.stats)
        return network._replace(params=loaded.params, stats=loaded.stats), loaded.report
    if model.naming is None:
        raise InputError(
            f"{path} holds weights in the names of torchvision or timm, which only a ResNet has, "
            "or a Vit. Give such a model, or the weights.npz of a finished run of this one."
        )
    folded = is_folded(arrays)
    if folded:
        arrays, assumed = unfolded(arrays)
    try:
        loaded = load(
            arrays, network.params, network.stats,
            naming=model.naming, allow_partial=model.allow_partial, assumed=assumed,
        )  # fmt: skip
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    network = network._replace(params=loaded.params, stats=loaded.stats)
    if not folded:
        return network, loaded.report
    if images is None:
        return network, f"{loaded.report} Batch norm is folded into the convolutions."
    shown = images()
    network = restore_batch_norm(network, shown, new=_new(network, model.naming, assumed))
    told = f"Batch norm, which was folded into the convolutions, is restored from {len(shown)}"
    return network, f"{loaded.report} {told} images of the source domains."


def _new(network: PureNetwork, naming: Naming, assumed: frozenset[str]) -> frozenset[str]:
    """The batch norms of the backbone that were not folded into weights of the file."""
    return frozenset(
        "/".join(str(key.key) for key in path[:-1])
        for path, _ in jax.tree_util.tree_leaves_with_path(network.params["backbone"])
        if path[-1].key == "scale"
        and naming.name((jax.tree_util.DictKey("backbone"), *path)) not in assumed
    )
