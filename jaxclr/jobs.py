"""A run as a job: one call of a command, in a process and with a log of its own."""

import dataclasses
import fcntl
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from jaxclr.errors import JaxclrError

PAUSE = 0.1
"""Seconds from one look at a process to the next."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One target and one seed of an experiment."""

    title: str
    """How the run is called where it is told of."""
    folder: Path
    """Where the run is written, its log too."""
    command: tuple[str, ...]
    """What makes the run, and goes on with it where one was stopped."""

    @property
    def results(self) -> Path:
        """What there is once the run is finished."""
        return self.folder / "results.json"

    @property
    def log(self) -> Path:
        """What the command printed, of all tries."""
        return self.folder / "run.log"

    def start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts the command, out of reach of the terminal's Ctrl-C.

        Args:
            environment: Variables to set beside those of this process.

        Returns:
            The process. Its log is locked until it has ended, whoever started it.

        Raises:
            JaxclrError: Another process is making this run.
            OSError: The folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self._claim(log)
            log.write(f"$ {shlex.join(self.command)}\n".encode())
            log.flush()
            return subprocess.Popen(
                self.command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def problem(self, code: int) -> str | None:
        """Why the run is not finished, though the command ended with this code; None if it is."""
        if code < 0:
            return f"ended by signal {-code} ({signal.strsignal(-code)})"
        if code > 0:
            return f"exit code {code}"
        return None if self.results.exists() else "stopped before its end"

    def last_lines(self, count: int) -> list[str]:
        """The end of the log, without empty lines."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return []
        return [line for line in text.splitlines() if line.strip()][-count:]

    def __call__(self) -> str | None:
        """Makes the run where a scheduler has put it; what ``submitit`` calls.

        Before Slurm's time limit, or where the run has to make way, Slurm sends USR2. The command
        then saves and ends, and submitit queues the job anew. After TERM it saves and ends, too,
        and what becomes of the job is left to who sent it.

        Returns:
            Why the run is not finished; None if it is.
        """
        asked: list[int] = []

        def note(number: int, _: object) -> None:
            asked.append(number)

        requeue = signal.signal(signal.SIGUSR2, note)
        signal.signal(signal.SIGTERM, note)
        # The command inherits what is blocked here: Slurm may send it the signal as well.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        try:
            process = self.start({})
        except JaxclrError as error:
            return str(error)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        told = False
        while process.poll() is None:
            if asked and not told:
                # Once only: a run that is asked twice ends without saving.
                process.terminate()
                told = True
            time.sleep(PAUSE)
        problem = self.problem(process.returncode)
        if problem and signal.SIGUSR2 in asked and callable(requeue):
            requeue(signal.SIGUSR2, None)
        if problem and asked:
            # No result is written then, so that a job that Slurm puts off is not taken for done.
            raise SystemExit(128 + asked[0])
        return problem

    def checkpoint(self) -> Any:
        """What ``submitit`` puts into the queue in place of a job that made way: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _claim(self, log: IO[bytes]) -> None:
        """Locks the log: the command inherits the lock, and holds it as long as it lives."""
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JaxclrError(f"another process is making this run; see {self.log}") from None
        except OSError:
            # Some network disks have no locks; there, nobody is kept from starting a run twice.
            return
