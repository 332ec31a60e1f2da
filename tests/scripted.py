"""Jobs that are a line of shell."""

import dataclasses
import time
from pathlib import Path

from jaxclr.jobs import Job

FINISH = "echo {} > results.json"


def scripted(folder: Path, name: str, script: str) -> Job:
    """A job that runs ``script`` in the folder ``name``."""
    job = Job(name, folder / name, ())
    return dataclasses.replace(job, command=("sh", "-c", f"cd '{job.folder}'; {script}"))


def saves(name: str = "saved") -> str:
    """A script that goes on until it is asked to end, and then saves."""
    wait = "while :; do sleep 0.02; done"
    return f"trap 'echo > {name}; exit 0' TERM; echo > begun; {wait}"


def wait_for(path: Path) -> None:
    """Waits until the file is there."""
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.01)
