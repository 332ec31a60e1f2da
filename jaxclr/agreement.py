"""What the processes of one run must have in common, each having found it out for itself."""

import hashlib
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxclr.errors import InputError
from jaxclr.experiment import Experiment, outcome
from jaxclr.pipeline.source import Collection
from jaxclr.pipeline.split import Split
from jaxclr.training.distributed import leads

PATIENCE = 30.0
"""Seconds after which a network's disk shows what another machine has written."""


def refuse_separate_folders(folder: Path) -> None:
    """Makes sure that all processes see one folder, which is made; all ask at the same time.

    Args:
        folder: Where they are going to write.

    Raises:
        InputError: Some have a folder of their own by that name, which every process is told.
    """
    if jax.process_count() == 1:
        return
    drawn = np.frombuffer(secrets.token_bytes(8), np.uint8)
    sign = folder / f"{multihost_utils.process_allgather(drawn)[0].tobytes().hex()}.tmp"
    if leads():
        folder.mkdir(parents=True, exist_ok=True)
        sign.touch()
    multihost_utils.sync_global_devices("the sign is there")
    until = time.monotonic() + PATIENCE
    while not (seen := sign.exists()) and time.monotonic() < until:
        time.sleep(0.5)
    everywhere = multihost_utils.process_allgather(np.array(seen)).all()
    if leads():
        sign.unlink()
    if not everywhere:
        raise InputError(
            f"Not all processes see the same {folder}. Give a --workdir on a disk that all of them "
            "share: together they write each checkpoint."
        )


def refuse_disagreement(
    experiment: Experiment, collection: Collection, split: Split, *, target: str, seed: int
) -> None:  # fmt: skip
    """Makes sure that all processes do the same; all of them ask at the same time.

    Args:
        experiment: What to do.
        collection: Its images.
        split: Whose label is kept.
        target: The domain held out.
        seed: Of the run.

    Raises:
        InputError: They differ, which every process is told.
    """
    if jax.process_count() == 1:
        return
    domains = collection.domains
    differing = _differing({
        "the experiment": f"{outcome(experiment)} {target} {seed}".encode(),
        "the images": "\0".join(path for domain in domains for path in domain.paths).encode(),
        "their classes": b"".join(domain.label.tobytes() for domain in domains),
        "the labels that are kept": b"".join(indices.tobytes() for indices in split.labeled),
    })  # fmt: skip
    if differing:
        raise InputError(
            f"The processes differ in {', '.join(differing)}. Start each with the same command, on "
            "the same images."
        )


def _differing(parts: Mapping[str, bytes]) -> list[str]:
    """The names of what is not the same in every process."""
    mine = [np.frombuffer(hashlib.sha256(part).digest(), np.uint8) for part in parts.values()]
    everyones = multihost_utils.process_allgather(np.stack(mine))
    same = (everyones == everyones[0]).all(axis=(0, 2))
    return [name for name, agreed in zip(parts, same, strict=True) if not agreed]
