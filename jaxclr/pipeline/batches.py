"""Batches as a pure function of (seed, step), read ahead by Grain.

Nothing is remembered from one batch to the next: which images a batch holds, and every random
draw of their views, follow from the seed, the step and the place in the batch. So a run resumes
at any step, and the number of threads or processes changes nothing.
"""

import contextlib
import copy
import dataclasses
import io
import logging
import operator
import os
import pickle
import re
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import SupportsIndex

import numpy as np
from absl import flags
from jaxtyping import UInt8

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.files import printable
from jaxclr.pipeline.self_supervised import small_windows
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import Split
from jaxclr.types import Batch, Views

LABELED, UNLABELED = 0, 1
WEAK, STRONG, ORDER, SECOND, CROPS = 0, 1, 2, 3, 4


def generator(seed: int, stream: int, purpose: int, position: int) -> np.random.Generator:
    """The generator of one draw; its counters lie 2^64 apart from those of any other."""
    key = np.array([seed, stream], np.uint64)
    counter = np.array([0, 0, purpose, position], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


@dataclasses.dataclass(frozen=True)
class Stream:
    """Labeled or unlabeled images of every source domain, in the order of an endless shuffle.

    An epoch ends when the smallest domain has too few images left for a batch: the tail of the
    larger ones is left out until the next shuffle, as in the protocol's sampler.
    """

    number: int
    indices: tuple[np.ndarray, ...]
    per_domain: int

    @property
    def size(self) -> int:
        """Images of all domains."""
        return sum(len(indices) for indices in self.indices)

    @property
    def epoch_steps(self) -> int:
        """Steps until every domain is shuffled anew."""
        return min(len(indices) for indices in self.indices) // self.per_domain

    def at(self, seed: int, step: int) -> np.ndarray:
        """Places in ``indices`` of what step ``step`` sees; of shape (domains, per_domain)."""
        epoch, place = divmod(step, self.epoch_steps)
        window = slice(place * self.per_domain, (place + 1) * self.per_domain)
        drawn = []
        for domain, indices in enumerate(self.indices):
            shuffle = generator(seed, self.number, ORDER, epoch * len(self.indices) + domain)
            drawn.append(shuffle.permutation(len(indices))[window])
        return np.stack(drawn)


class Batches:
    """``batches[step]``: weak and strong views of the images that step ``step`` learns from.

    Args:
        sources: The source domains, whose order gives their indices.
        split: Whose label is kept.
        augment: How views are made; where the device makes them, batches hold plain squares.
        seed: Fixes everything; at least 0.
        steps: Length of the run.
        batch_per_domain: Labeled images of each domain in a batch.
        unlabeled_ratio: How many times as many are unlabeled.
        second: Whether a second strong view is made of every image.
        crops: Whether small windows are made of every image: as many as ``augment`` says.
        rows: Which rows of a batch are made, by their places in ``batch_per_domain``; a row is
            an example of each domain. By default all; where several processes share a batch,
            those of this one, and they are the same as in the whole.

    Raises:
        InputError: A domain has fewer images than its part of a batch, or small windows are wanted
            of views that have none.
    """

    def __init__(
        self, sources: Sequence[Domain], split: Split, augment: Augment, *,
        seed: int, steps: int, batch_per_domain: int, unlabeled_ratio: int = 1,
        second: bool = False, crops: bool = False, rows: slice = slice(None),
    ):  # fmt: skip
        self.rows = range(batch_per_domain)[rows]
        self.sources, self.augment, self.seed, self.steps = sources, augment, seed, steps
        self.second, self.small = second, small_windows(augment) if crops else None
        self.labeled = Stream(LABELED, split.labeled, batch_per_domain)
        self.unlabeled = Stream(UNLABELED, split.unlabeled, batch_per_domain * unlabeled_ratio)
        for kind, stream in (("labeled", self.labeled), ("unlabeled", self.unlabeled)):
            for domain, indices in zip(sources, stream.indices, strict=True):
                if len(indices) < stream.per_domain:
                    raise InputError(
                        f"Domain {domain.name!r} has {len(indices)} {kind} images, but a batch "
                        f"takes {stream.per_domain} of them. Lower --batch-per-domain, or give "
                        "the domain more images."
                    )

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: SupportsIndex) -> Batch:
        """The batch of one step, in [0, len)."""
        step = operator.index(index)
        if not 0 <= step < self.steps:
            raise IndexError(step)
        return Batch(self._views(self.labeled, step), self._views(self.unlabeled, step))

    def _views(self, stream: Stream, step: int) -> Views:
        """The views of this process's part of one stream's images, domains fastest."""
        places = stream.at(self.seed, step)
        whole, size = places.size, self.augment.size
        ratio = stream.per_domain // self.labeled.per_domain
        places = places[:, self.rows.start * ratio : self.rows.stop * ratio]
        first = np.cumsum([0, *map(len, stream.indices)])[:-1]
        number = (places + first[:, None]).T.ravel().astype(np.int32)
        # Draws are keyed by the place in the whole batch, whoever makes which part of it.
        count, offset = places.size, self.rows.start * ratio * len(places)
        domains = np.tile(np.arange(len(self.sources), dtype=np.int32), places.shape[1])
        weak, plain = np.empty((count, size, size, 3), np.uint8), self.augment.where == "device"
        strong = None if plain else np.empty_like(weak)
        second = np.empty_like(weak) if self.second and not plain else None
        crops = []
        label = np.empty(count, np.int32)
        for i, (domain, place) in enumerate(zip(domains, places.T.ravel(), strict=True)):
            source, index = self.sources[domain], int(stream.indices[domain][place])
            image = source.images[index]

            def draws(
                purpose: int, position: int = step * whole + offset + i
            ) -> np.random.Generator:
                return generator(self.seed, stream.number, purpose, position)

            if strong is None:
                weak[i] = self.augment.square(image)
            else:
                weak[i] = self.augment.weak(image, draws(WEAK))
                strong[i] = self.augment.strong(image, draws(STRONG))
            if second is not None:
                second[i] = self.augment.strong(image, draws(SECOND))
            if self.small is not None:
                crops.append(self.small.small(image, draws(CROPS)))
            label[i] = source.label[index]
        small = np.stack(crops) if crops else None
        return Views(weak, strong, label, domains, number, second, small)


def read_ahead(
    batches: Batches, start: int, *, threads: int = 2, workers: int = 0
) -> Iterator[Batch]:
    """Yields ``batches[start]``, ``batches[start + 1]``, ... made while others are consumed.

    Args:
        batches: What to read.
        start: First step.
        threads: How many threads make batches; 0 makes each when it is asked for.
        workers: How many processes do so instead of threads, for images that are slow to decode;
            0 for none.

    Raises:
        JaxclrError: An image cannot be read, or the system ends a process.
    """
    if workers:
        yield from _read_by_processes(batches, start, workers)
    else:
        grain = _grain()
        ahead = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
        yield from grain.MapDataset.source(batches)[start:].to_iter_dataset(ahead)


def _grain() -> ModuleType:
    """Grain, without what it says as it is imported: that older JAX cannot profile it."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import grain
    finally:
        logger.setLevel(before)
    return grain


def _read_by_processes(batches: Batches, start: int, workers: int) -> Iterator[Batch]:
    if not flags.FLAGS.is_parsed():
        # Grain's processes insist upon this outside an absl program.
        flags.FLAGS.mark_as_parsed()
    grain = _grain()
    in_turn = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
    options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
    due = start
    with tempfile.TemporaryDirectory(prefix="jaxclr") as notes:
        made_of = _Packed(batches, notes, start, workers)
        stream = grain.MapDataset.source(made_of)[start:].to_iter_dataset(in_turn)
        try:
            with contextlib.closing(iter(stream.mp_prefetch(options))) as ahead:
                for packed in ahead:
                    made = pickle.loads(packed)
                    if isinstance(made, str):
                        raise JaxclrError(made)
                    yield made
                    due += 1
        except RuntimeError as error:
            if ended := re.search(r"terminated unexpectedly with exit code (-?\d+)", str(error)):
                raise made_of.ended(due, int(ended[1])) from error
            raise


class _Packed:
    """Batches as bytes, or the message of what went wrong.

    Grain would pass arrays through shared memory, which containers have little of and which it
    does not wholly give back. And one process cannot raise into another. Nor can one that the
    system ends say anything: each notes in a file of its own what it reads.
    """

    def __init__(self, batches: Batches, notes: str, start: int, workers: int):
        self._batches, self._notes, self._start, self._workers = batches, notes, start, workers

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: SupportsIndex) -> bytes:
        step, batches = operator.index(index), copy.copy(self._batches)
        with open(self._note(step), "wb", buffering=0) as file:
            batches.sources = [
                domain._replace(images=_Watched(domain, step, file))
                for domain in self._batches.sources
            ]
            try:
                made = batches[step]
            except JaxclrError as error:
                made = str(error)
        return pickle.dumps(made, protocol=5)

    def _note(self, step: int) -> Path:
        """The file of the process that makes a step: they take turns."""
        return Path(self._notes, str((step - self._start) % self._workers))

    def ended(self, due: int, code: int) -> JaxclrError:
        """What to tell where the process is gone whose turn is step ``due``."""
        signals = {-known.value: known.name for known in signal.Signals}
        how = signals.get(code, f"exit code {code}")
        note = self._note(due).read_bytes() if self._note(due).exists() else b""
        step, _, path = os.fsdecode(note.partition(b"\0")[0]).partition(" ")
        place = f"while it read {printable(path)}, for step {step}" if path else f"by step {due}"
        return JaxclrError(
            f"A process that makes batches was ended ({how}) {place}. Systems end processes when "
            "the memory does not suffice: give fewer --workers, or a smaller batch. If it is "
            "always this image, look at it: decoding it may be what fails."
        )


@dataclasses.dataclass(frozen=True)
class _Watched:
    """The images of a domain, each noted in a file before it is read."""

    domain: Domain
    step: int
    file: io.FileIO

    def __len__(self) -> int:
        return len(self.domain.images)

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "h w 3"]:
        self.file.seek(0)
        self.file.write(os.fsencode(f"{self.step} {self.domain.paths[index]}\0"))
        return self.domain.images[index]
