"""What a finished run's network says of images in files, batch by batch."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxclr.errors import JaxclrError
from jaxclr.evaluation import BATCH, make_predict
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.files import Entry, where
from jaxclr.pipeline.storage import ADVICE, decode
from jaxclr.predict.listing import path_of
from jaxclr.saved import Saved
from jaxclr.training.layout import make_layout

AHEAD = 2
"""Batches that are read while one is predicted."""

View = UInt8[np.ndarray, "s s 3"]


class Rows(NamedTuple):
    """What is said of some images."""

    path: tuple[str, ...]
    probabilities: Float[np.ndarray, "m k"]
    """Of each class."""
    features: Float[np.ndarray, "m d"]


class Ranked(NamedTuple):
    """The likeliest classes of images, the likeliest first; of equals the first."""

    classes: Int[np.ndarray, "m t"]
    probabilities: Float[np.ndarray, "m t"]


def predict(
    saved: Saved, entries: Sequence[Entry], skipped: Callable[[str], None], *,
    batch_size: int = BATCH, told: Callable[[], None] = lambda: None,
) -> Generator[Rows]:  # fmt: skip
    """Predicts images by the function that the run was tested by, on this machine's devices.

    Args:
        saved: The run.
        entries: The images, which are decoded as they are needed.
        skipped: Told of each image that cannot be read, and why.
        batch_size: Images at once, or somewhat more where devices could not share them.
        told: Called after each image.

    Yields:
        What is said of a batch of images, in their order, without those that cannot be read.
    """
    devices, augment = jax.local_devices(), saved.experiment.augment
    # Of few images no full batch is made.
    size = -(-min(batch_size, len(entries)) // len(devices)) * len(devices)
    layout = make_layout(size, devices)
    call = make_predict(saved.network, augment, jnp.dtype(saved.experiment.dtype), layout)
    params, stats = layout.put_state((saved.network.params, saved.network.stats))
    for batch in _read_ahead(entries, augment, size):
        paths, images = [], np.zeros((size, augment.size, augment.size, 3), np.uint8)
        for entry, read in batch:
            found = read.result()
            if isinstance(found, str):
                skipped(found)
            else:
                images[len(paths)] = found
                paths.append(path_of(entry))
            told()
        if paths:
            seen = call(params, stats, layout.put_batch(images))
            logits, features = (np.asarray(x)[: len(paths)] for x in (seen.logits, seen.features))
            yield Rows(tuple(paths), softmax(logits), features)


def softmax(logits: Float[np.ndarray, "m k"]) -> Float[np.ndarray, "m k"]:
    """Probabilities, in double precision: classes whose logits differ stay in their order."""
    powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def ranked(probabilities: Float[np.ndarray, "m k"], top: int) -> Ranked:
    """The ``top`` likeliest classes, or all where there are fewer."""
    order = np.argsort(-probabilities, axis=-1, kind="stable")[:, :top]
    return Ranked(order, np.take_along_axis(probabilities, order, axis=-1))


def _read_ahead(
    entries: Sequence[Entry], augment: Augment, size: int
) -> Iterator[list[tuple[Entry, Future[View | str]]]]:
    """Batches of images, of which a few at a time are being decoded by threads."""
    pool = ThreadPoolExecutor()
    waiting: deque[list[tuple[Entry, Future[View | str]]]] = deque()
    try:
        for start in range(0, len(entries), size):
            batch = entries[start : start + size]
            waiting.append([(entry, pool.submit(_view, entry, augment)) for entry in batch])
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def _view(entry: Entry, augment: Augment) -> View | str:
    """The image as it is tested, or why there is none."""
    try:
        return augment.evaluation(decode(entry))
    except JaxclrError as error:
        # The advice is about data sets.
        return str(error).removesuffix(ADVICE).strip()
    except (ValueError, MemoryError) as error:
        return f"{where(entry)}: cannot be scaled to {augment.size} px ({error or 'no memory'})."
