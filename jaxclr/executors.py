"""Where jobs are made: in processes of this machine, or on a cluster by Slurm."""

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any, Protocol, runtime_checkable

from jaxclr.errors import InputError, JaxclrError
from jaxclr.jobs import Job

TIMEOUTS = 20
"""How often Slurm may put off one run because its time is over."""

SECONDS_TO_SAVE = 120
"""How long before its time is over a run is told so by Slurm."""


@runtime_checkable
class Attempt(Protocol):
    """A job that was handed over."""

    def ended(self) -> bool:
        """Whether it needs to be waited for no longer."""
        ...

    def problem(self) -> str | None:
        """Once it has ended: why the run is not finished; None if it is."""
        ...

    def stop(self) -> None:
        """Asks it to save and end."""
        ...

    def kill(self) -> None:
        """Ends it at once."""
        ...


@runtime_checkable
class Executor(Protocol):
    """What makes jobs."""

    @property
    def verb(self) -> str:
        """What has become of a job that it took."""
        ...

    @property
    def pause(self) -> float:
        """Seconds from one look at the attempts to the next."""
        ...

    @property
    def room(self) -> int:
        """How many jobs it takes now."""
        ...

    def submit(self, jobs: Sequence[Job]) -> Sequence[Attempt]:
        """Takes jobs, no more than it has room for."""
        ...


class Local:
    """Processes of this machine, one in each slot.

    They are started here rather than by submitit's own local executor, which hides all CUDA devices
    that it was not told to show, knows of no other kind, and leaves a run one second to save.

    Args:
        slots: The environment of each run of those that go at the same time.
    """

    verb = "started"
    pause = 0.2

    def __init__(self, slots: Sequence[Mapping[str, str]]):
        self._slots = slots
        self._held: list[Popen[bytes] | None] = [None] * len(slots)

    @property
    def room(self) -> int:
        """Slots that are free."""
        return len(self._free())

    def submit(self, jobs: Sequence[Job]) -> list[Attempt]:
        """Starts the jobs, each in a free slot."""
        attempts: list[Attempt] = []
        for slot, job in zip(self._free(), jobs, strict=False):
            try:
                process = job.start(self._slots[slot])
            except JaxclrError as error:
                attempts.append(_Refused(str(error)))
                continue
            self._held[slot] = process
            attempts.append(_Process(job, process))
        return attempts

    def _free(self) -> list[int]:
        held = enumerate(self._held)
        return [slot for slot, process in held if process is None or process.poll() is not None]


class _Process:
    def __init__(self, job: Job, process: Popen[bytes]):
        self._job, self._process = job, process

    def ended(self) -> bool:
        return self._process.poll() is not None

    def problem(self) -> str | None:
        return self._job.problem(self._process.wait())

    def stop(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        # The processes that make batches are of the same session, hence of the same group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class _Refused:
    """A job that could not be started."""

    def __init__(self, reason: str):
        self._reason = reason

    def ended(self) -> bool:
        return True

    def problem(self) -> str | None:
        return self._reason

    def stop(self) -> None:
        return

    def kill(self) -> None:
        return


class Slurm:
    """A cluster with Slurm, by way of submitit; jobs handed over together are one array.

    Args:
        folder: Where submitit writes; seen by all nodes.
        minutes: Time limit of a job; the run then goes on in another.
        partition: Where to queue; None: the cluster's default.
        gpus: GPUs of each run; 0 for none.
        parallel: How many jobs run at the same time; None: as many as Slurm lets.
        options: Further options of ``sbatch``, without their dashes.

    Raises:
        InputError: submitit is not installed, or there is no Slurm here.
    """

    verb = "queued"
    pause = 5.0
    room = sys.maxsize

    def __init__(
        self, folder: Path, *, minutes: int, partition: str | None, gpus: int,
        parallel: int | None, options: Mapping[str, str],
    ):  # fmt: skip
        try:
            import submitit
        except ImportError:
            raise InputError("--slurm needs submitit: pip install 'jaxclr[cluster]'.") from None
        try:
            self._executor = submitit.SlurmExecutor(folder, max_num_timeout=TIMEOUTS)
        except RuntimeError as error:
            raise InputError(f"--slurm: {error} Start this on a login node.") from None
        chosen = {
            "partition": partition, "array_parallelism": parallel, "gpus_per_node": gpus or None,
            "additional_parameters": dict(options) or None,
        }  # fmt: skip
        self._executor.update_parameters(
            job_name="jaxclr", time=minutes, nodes=1, ntasks_per_node=1, stderr_to_stdout=True,
            signal_delay_s=SECONDS_TO_SAVE,
            **{name: value for name, value in chosen.items() if value is not None},
        )  # fmt: skip

    def submit(self, jobs: Sequence[Job]) -> list[Attempt]:
        """Queues the jobs.

        Raises:
            JaxclrError: Slurm does not take them.
        """
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            with self._executor.batch():
                queued = [self._executor.submit(job) for job in jobs]
        except (FailedJobError, FailedSubmissionError) as error:
            raise JaxclrError(f"Slurm does not take the runs: {error}") from error
        return [_Queued(one) for one in queued]


class _Queued:
    def __init__(self, job: Any):
        self._job, self._cancelled = job, False

    def ended(self) -> bool:
        return self._cancelled or self._job.done()

    def problem(self) -> str | None:
        if self._cancelled:
            return "cancelled"
        if self._job.exception() is None:
            return self._job.result()
        return f"Slurm job {self._job.job_id}: {self._job.state}; see {self._job.paths.stdout}"

    def stop(self) -> None:
        self._job.cancel(check=False)
        self._cancelled = True

    def kill(self) -> None:
        return
