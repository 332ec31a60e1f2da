"""What a run writes down: one line of JSON per window of steps, and per evaluation."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxclr.errors import JaxclrError
from jaxclr.loggers import Loggers

GRADIENT = "_gradient"
"""What follows the name of a term in that of its gradient's norm."""
COUNTS = ("unlabeled", "kept", "known", "right")
STEPS, PARTS = "/steps", "/parts"
"""Under which a window counts its steps, and the guesses of each domain and class; no term can be
named so."""


class Journal:
    """``metrics.jsonl``: grows with the run, and is cut back to where a resumed run starts.

    The lines hold no times, so that two runs of one experiment write the same bytes.

    Args:
        path: Where it is.
        writes: Whether this process writes it; of several, one does.
        loggers: What else is told each line.
    """

    def __init__(self, path: Path, *, writes: bool = True, loggers: Loggers | None = None):
        self.path, self._writes = path, writes
        self._loggers = loggers or Loggers()

    def lines(self) -> list[dict[str, Any]]:
        """All lines; one that a killed process left half-written is not one."""
        if not self.path.exists():
            return []
        whole = self.path.read_text().split("\n")[:-1]
        return [json.loads(line) for line in whole]

    def rewind(self, step: int) -> None:
        """Forgets what was written after step ``step``."""
        if not self._writes:
            return
        kept = [line for line in self.lines() if line["step"] <= step]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        temporary.replace(self.path)
        self._loggers.begin(step, kept)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Adds a line."""
        if not self._writes:
            return
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        self._loggers.write(step, values)


class Window:
    """Sums the metrics of some steps into one line.

    Args:
        sums: Those of a window that was left open.
        domains: Names of the sources.
        classes: Names of the classes.
    """

    def __init__(
        self, sums: Mapping[str, Any] = MappingProxyType({}), *,
        domains: Sequence[str] = (), classes: Sequence[str] = (),
    ):  # fmt: skip
        self._sums = {name: value for name, value in sums.items() if name != PARTS}
        self._parts = np.asarray(sums.get(PARTS, 0.0))
        self._domains, self._classes = domains, classes

    @property
    def sums(self) -> Mapping[str, Any]:
        """Of the steps that no line tells of yet, and how many they are; empty for none."""
        return {**self._sums, **({PARTS: self._parts.tolist()} if self._parts.ndim else {})}

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Takes the metrics of step ``step`` in.

        Raises:
            JaxclrError: The loss is not finite; names the term and the step.
        """
        if not math.isfinite(values["loss"]):
            culprits = [
                name
                for name, value in values.items()
                if name not in ("loss", PARTS) and not math.isfinite(value)
            ]
            raise JaxclrError(
                f"The loss is {values['loss']} at step {step}; not finite: "
                f"{', '.join(culprits) or 'only the weighted sum'}. The checkpoints before it are "
                "kept. Lower --optimizer.learning-rate or the term's weight, then run again with "
                "another --workdir."
            )
        for name, value in {STEPS: 1, **values}.items():
            if name == PARTS:
                self._parts = self._parts + np.asarray(value)
            else:
                self._sums[name] = self._sums.get(name, 0.0) + value

    def close(self) -> dict[str, float | None]:
        """The means over the window, which is empty thereafter."""
        sums, self._sums = self._sums, {}
        line: dict[str, float | None] = {
            name: value / sums[STEPS]
            for name, value in sums.items()
            if name not in (STEPS, *COUNTS)
        }
        if "unlabeled" in sums:
            line["pseudo_label_keep_rate"] = 100 * sums["kept"] / sums["unlabeled"]
            line["pseudo_label_accuracy"] = (
                100 * sums["right"] / sums["known"] if sums["known"] else None
            )
        return line

    def close_parts(self) -> dict[str, dict[str, float | None]]:
        """Keep rate and accuracy of the guesses, in %, of each domain and of each class.

        Of all steps since it was last asked. Classes are the true ones: of a class without an
        image there is nothing to say, and None stands for it. Empty where nothing is guessed.
        """
        counts, self._parts = self._parts, np.zeros(())
        if not counts.ndim:
            return {}
        seen, kept, right = np.moveaxis(counts, -1, 0)
        # The last column is of images whose class nobody knows.
        known = np.s_[:, :-1]
        shares = {
            "keep_rate_by_domain": (self._domains, kept.sum(1), seen.sum(1)),
            "accuracy_by_domain": (self._domains, right.sum(1), kept[known].sum(1)),
            "keep_rate_by_class": (self._classes, kept[known].sum(0), seen[known].sum(0)),
            "accuracy_by_class": (self._classes, right[known].sum(0), kept[known].sum(0)),
        }
        return {
            f"pseudo_label_{what}": {
                name: 100 * float(some) / float(every) if every else None
                for name, some, every in zip(*share, strict=True)
            }
            for what, share in shares.items()
        }


def late_pseudo_labels(
    lines: list[dict[str, Any]], last_steps: int = 100
) -> dict[str, float | None]:
    """Keep rate and accuracy of the pseudo-labels, in %, over the last steps of a run.

    Accuracies are weighted by how many were kept; None where none were, or none are made.
    """
    seen = kept = right = 0.0
    previous = 0
    for line in lines:
        if "pseudo_label_keep_rate" not in line:
            continue
        steps, previous = line["step"] - previous, line["step"]
        if line["step"] > lines[-1]["step"] - last_steps:
            rate, accuracy = line["pseudo_label_keep_rate"], line["pseudo_label_accuracy"]
            seen += steps
            kept += steps * rate
            right += steps * rate * (accuracy or 0.0)
    return {
        "pseudo_label_keep_rate": kept / seen if seen else None,
        "pseudo_label_accuracy": right / kept if kept else None,
    }


def mean_gradient_norms(lines: list[dict[str, Any]]) -> dict[str, float] | None:
    """The norm of each term's gradient in the features, averaged over a run's steps.

    None where the experiment did not ask for them.
    """
    sums: dict[str, float] = {}
    previous = 0
    for line in lines:
        if "loss" not in line:
            continue
        steps, previous = line["step"] - previous, line["step"]
        for name, value in line.items():
            if name.endswith(GRADIENT):
                term = name.removesuffix(GRADIENT)
                sums[term] = sums.get(term, 0.0) + steps * value
    return {term: value / previous for term, value in sums.items()} or None
