"""Runs that nobody makes, for tests of what goes on around them."""

import dataclasses
import json
from typing import ClassVar

import jaxclr.executors
from jaxclr.accelerators import Accelerators


@dataclasses.dataclass
class Made:
    """An attempt that has ended."""

    reason: str | None

    def ended(self) -> bool:
        return True

    def problem(self) -> str | None:
        return self.reason

    def stop(self) -> None:
        raise AssertionError("nothing is left to stop")

    kill = stop


class Imagined:
    """Makes runs at once, with an accuracy of 10 for each letter of their target."""

    verb, pause, room = "imagined", 0.0, 2
    bad: tuple[str, ...] = ()
    seen: tuple = ()
    settings: ClassVar[dict] = {}

    def __init__(self, *given, **settings):
        type(self).seen, type(self).settings = given, settings

    def submit(self, jobs):
        return [Made(self.make(job)) for job in jobs]

    def make(self, job) -> str | None:
        name, target, _, seed = job.title.split()
        job.folder.mkdir(parents=True, exist_ok=True)
        job.log.write_text("one line\nthe last line\n")
        if target in self.bad:
            return "exit code 1"
        result = {"experiment": name, "target": target, "seed": int(seed)}
        job.results.write_text(json.dumps({**result, **self.scores(name, target)}))
        return None

    def scores(self, name, target) -> dict:
        return {"accuracy": 10.0 * len(target)}


def put_in_place(monkeypatch, kind):
    """Has a fresh class of this kind make all jobs, on a machine with two accelerators."""
    fresh = type("Fresh", (kind,), {})
    monkeypatch.setattr(jaxclr.executors, "Local", fresh)
    monkeypatch.setattr(jaxclr.executors, "Slurm", fresh)
    monkeypatch.setattr("jaxclr.accelerators.accelerators", lambda: Accelerators("cuda", 2))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fresh
