"""The predictions of all runs of an experiment together."""

from collections.abc import Sequence

import numpy as np

from jaxclr.records import Predictions, Record


def pooled(runs: Sequence[Record]) -> Predictions | None:
    """Every run's predictions on its own target, one after the other.

    Args:
        runs: Of one experiment.

    Returns:
        None where no run has kept any.
    """
    found = [run.predictions for run in runs if run.predictions is not None]
    if not found:
        return None
    paths = tuple(path for some in found for path in some.path)
    label, guess = (np.concatenate([getattr(p, of) for p in found]) for of in ("label", "guess"))
    sure = np.concatenate([some.confidence for some in found])
    return Predictions(paths, label, guess, sure, np.concatenate([some.truth for some in found]))
