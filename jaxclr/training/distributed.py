"""Several processes as one program: how they find each other, and end together."""

import contextlib
import os
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, NoReturn

import jax

from jaxclr.errors import InputError


class Cluster(NamedTuple):
    """How the processes of a program find each other; with nothing given, as their cluster says."""

    coordinator: str | None = None
    """Host and port at which process 0 listens."""
    num_processes: int | None = None
    process_id: int | None = None
    """Of this one, counted from 0."""


@contextlib.contextmanager
def joined(cluster: Cluster | None) -> Iterator[None]:
    """Makes this process one of a program's; nothing is done where no cluster is given.

    JAX has not computed anything before. At a good end all wait for each other; after an error
    :func:`leave` ends this one.

    Raises:
        InputError: There is no such cluster.
    """
    if cluster is None:
        yield
        return
    _join(cluster)
    sys.excepthook = _told_at_once
    yield
    jax.distributed.shutdown()


def _join(cluster: Cluster) -> None:
    given = [value is not None for value in cluster]
    if any(given) and not all(given):
        raise InputError("--coordinator, --num-processes and --process-id are given together.")
    try:
        jax.distributed.initialize(
            cluster.coordinator, cluster.num_processes, cluster.process_id,
            cluster_detection_method="deactivate" if all(given) else None,
        )  # fmt: skip
    except (RuntimeError, ValueError, TypeError) as error:
        asked = "The processes cannot be joined" if all(given) else "No cluster is found"
        raise InputError(
            f"{asked}: {str(error).strip()} Slurm, Kubernetes (indexed jobs), TPU pods and Open "
            "MPI are found by --distributed. Elsewhere give every process --coordinator HOST:PORT "
            "(of process 0), --num-processes N and its own --process-id, from 0 to N - 1."
        ) from error


def leads() -> bool:
    """Whether this is the process that prints, and writes what is no checkpoint."""
    return jax.process_index() == 0


def leave(code: int) -> NoReturn:
    """Ends the process; where it is one of several and has failed, without waiting for the others.

    They wait for its part of a computation, and it would wait for them to end: rather they find
    it gone, and end as well.

    Args:
        code: The exit code.
    """
    if code and jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _told_at_once(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    sys.__excepthook__(kind, error, traceback)
    leave(1)
