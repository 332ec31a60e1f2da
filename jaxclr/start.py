"""What a run starts from: drawn weights, or those of a file, and prototypes where the data lie."""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxclr.evaluation import make_predict, over_images
from jaxclr.experiment import Experiment
from jaxclr.models.network import PureNetwork
from jaxclr.models.pretrained import Origin, pretrained
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import Split
from jaxclr.survey import needs_start, prototypes_at
from jaxclr.training.layout import Layout
from jaxclr.training.passes import normalise

SHOWN = 128
"""Images of the sources, or somewhat more, from which batch norm is restored."""


def first_network(
    experiment: Experiment, network: PureNetwork, sources: Sequence[Domain], split: Split,
    layout: Layout, *, target: str, seed: int, num_classes: int,
) -> tuple[PureNetwork, Origin | None]:  # fmt: skip
    """The network with the weights that training starts from, and where they came from, if given.

    Args:
        experiment: Its model says where weights come from, and where prototypes start.
        network: With drawn weights.
        sources: The source domains.
        split: Whose label is kept.
        layout: Where arrays lie.
        target: Domain held out.
        seed: Of the run.
        num_classes: ``k``.

    Raises:
        InputError: The weights are not to be had, or are those of another network.
    """
    origin = None
    if experiment.model.weights is not None:
        network, origin = pretrained(
            experiment.model, network, functools.partial(shown, sources, experiment.augment),
            weights=experiment.model.weights, target=target, seed=seed,
        )  # fmt: skip
    if not needs_start(experiment.model):
        return network, origin
    dtype = jnp.dtype(experiment.dtype)
    predict = make_predict(network, experiment.augment, dtype, layout)
    found, label = [], []
    for domain, labeled in zip(sources, split.labeled, strict=True):
        indices = np.flatnonzero(domain.train)
        found.append(
            over_images(
                predict,
                lambda seen: seen.embedding,
                network.params,
                network.stats,
                layout,
                domain,
                indices,
                experiment.augment,
            )
        )
        label.append(np.where(np.isin(indices, labeled), domain.label[indices], -1))
    start = prototypes_at(
        experiment.model, np.concatenate(found), np.concatenate(label), num_classes
    )
    head = {**network.params["head"], "prototypes": start}
    return network._replace(params={**network.params, "head": head}), origin


def shown(
    sources: Sequence[Domain], augment: Augment, count: int = SHOWN
) -> Float[np.ndarray, "b h w 3"]:
    """Plain, normalised training images of the sources, equally many of each, whatever their class.

    They are evenly spaced in each domain's order, hence the same in every run.

    Args:
        sources: The source domains.
        augment: Makes the views, and says how they are normalised.
        count: How many at least, where domains have so many.
    """
    each, views = -(-count // len(sources)), []
    for domain in sources:
        indices = np.flatnonzero(domain.train)
        places = np.linspace(0, len(indices) - 1, min(each, len(indices))).round().astype(int)
        views += [augment.evaluation(domain.images[int(i)]) for i in indices[places]]
    return np.asarray(normalise(np.stack(views), augment.mean, augment.std))
