"""What a run learns of its labeled images between steps: banks, and where prototypes start."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, UInt8

from jaxclr.errors import InputError
from jaxclr.models.heads import Prototypes
from jaxclr.models.network import Model
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.source import Domain
from jaxclr.training.layout import Layout
from jaxclr.training.passes import normalise
from jaxclr.training.state import Setting, TrainState


class Renewal:
    """Renews a method's bank from plain views of all labeled images.

    They are seen as in training: batches of every domain, normalised by the statistics of the
    batch, which are not recorded. Where a domain's last batch is too small, its first images
    fill it up and do not count again. Of several processes, each reads its own rows.

    Args:
        setting: Of the run.
        sources: The source domains.
        labeled: Whose label is kept, per source domain.
        augment: Makes the plain views.
        rows: Images of each domain in a batch.
        layout: Where arrays lie.
    """

    def __init__(
        self, setting: Setting, sources: Sequence[Domain], labeled: Sequence[np.ndarray],
        augment: Augment, rows: int, layout: Layout,
    ):  # fmt: skip
        self._setting, self._rows, self._layout = setting, rows, layout
        self._starts = range(0, max(map(len, labeled)), rows)
        self._own = np.arange(rows)[layout.rows(rows)]
        self._images = [
            {i: augment.evaluation(domain.images[int(indices[i])]) for i in self._read(indices)}
            for domain, indices in zip(sources, labeled, strict=True)
        ]
        self._label = [
            domain.label[indices] for domain, indices in zip(sources, labeled, strict=True)
        ]
        self._embed = jax.jit(self._features, out_shardings=layout.replicated)

    def __call__(self, state: TrainState) -> TrainState:
        """The state with its bank renewed."""
        features, label, domain = [], [], []
        for start in self._starts:
            places = start + np.arange(self._rows)
            batch = self._layout.put_batch(self._batch(start))
            found = np.asarray(self._embed(state.params, state.stats, batch))
            found = found.reshape(self._rows, len(self._label), -1)
            for d, given in enumerate(self._label):
                real = places < len(given)
                features.append(found[real, d])
                label.append(given[places[real]])
                domain.append(np.full(real.sum(), d))
        seen, given, of = (jnp.asarray(np.concatenate(x)) for x in (features, label, domain))
        bank = self._setting.method.bank.renew(seen, given, of, self._setting.sizes)
        return state._replace(bank=self._layout.put_state(bank))

    def _read(self, indices: np.ndarray) -> set[int]:
        """Places of a domain's labeled images that this process reads."""
        return {int(place) % len(indices) for start in self._starts for place in start + self._own}

    def _batch(self, start: int) -> UInt8[np.ndarray, "b h w 3"]:
        """This process's part of the batch whose first row is ``start``, domains fastest."""
        return np.stack(
            [
                images[int(place) % len(label)]
                for place in start + self._own
                for images, label in zip(self._images, self._label, strict=True)
            ]
        )

    def _features(
        self, params: PyTree, stats: PyTree, images: UInt8[Array, "b h w 3"]
    ) -> Float[Array, "b d"]:
        s = self._setting
        pixels = normalise(images, s.mean, s.std).astype(s.dtype)
        prediction, _ = s.network(params, stats, pixels, groups=s.num_domains, train=True)
        return prediction.features.astype(jnp.float32)


def needs_start(model: Model) -> bool:
    """Whether the prototypes of the model start at embeddings of the data."""
    return isinstance(model.classifier, Prototypes) and model.classifier.start != "random"


def prototypes_at(
    model: Model, embeddings: Float[np.ndarray, "m e"], label: Int[np.ndarray, " m"],
    num_classes: int,
) -> Float[np.ndarray, "k e"]:  # fmt: skip
    """Where prototypes start: at class means of unit embeddings, or at centres by k-means.

    Centres are given to the classes such that, class by class, the labeled images are nearest:
    the assignment of least total distance between class means and centres.

    Args:
        model: Its classifier says how.
        embeddings: Of the sources' training images.
        label: Their class where it is given, -1 elsewhere; every class at least once.
        num_classes: ``k``.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.cluster import KMeans

    if absent := sorted(set(range(num_classes)) - set(label.tolist())):
        raise InputError(
            "Prototypes start at means of labeled images, and no image of class number "
            f"{absent[0]} keeps its label. Give Prototypes(start='random')."
        )
    norm = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.maximum(norm, 1e-6)
    means = np.stack([unit[label == c].mean(0) for c in range(num_classes)])
    if not isinstance(model.classifier, Prototypes) or model.classifier.start != "k_means":
        return means
    how: dict[str, Any] = {"n_init": 10, "random_state": 0}
    found = KMeans(num_classes, **how).fit(unit).cluster_centers_
    distance = np.linalg.norm(means[:, None] - found[None], axis=-1)
    _, chosen = linear_sum_assignment(distance)
    return found[chosen].astype(np.float32)
