"""Which draw of settings a rule would have chosen, by what it may look at."""

import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple

Rule = Literal["default", "source", "labeled", "leave_one_out", "oracle"]

RULES: dict[Rule, str] = {
    "default": "no choice: draw 0, the experiment as it stands",
    "source": "chosen by accuracy on held-back images of the sources",
    "labeled": "chosen by accuracy on labeled images of the sources, which were trained on",
    "leave_one_out": "chosen by mean accuracy on the other targets, whose runs saw this one",
    "oracle": "NOT ALLOWED, an upper bound: chosen by accuracy on the target itself",
}
"""What each rule chooses by."""


class Trial(NamedTuple):
    """What a finished run of one experiment tells; accuracies are in %."""

    draw: int
    """Number of the settings that it was made with."""
    target: str
    """The domain held out."""
    seed: int
    """Of the split and the training."""
    accuracy: float
    """On the target."""
    labeled: float | None
    """On the labeled images of the sources."""
    held_back: float | None
    """On images of the sources that training did not see; None where there are none."""


Trials = dict[tuple[int, str, int], Trial]
"""By draw, target and seed."""


class Choice(NamedTuple):
    """The draw that a rule chooses for one target and seed."""

    rule: Rule
    target: str
    seed: int
    draw: int
    """Its number."""
    score: float | None
    """What it was chosen by, in %; None where nothing was."""
    tied: int
    """How many draws have this score, itself among them."""
    compared: int
    """How many draws have a score."""
    accuracy: float
    """On the target, in %."""


def choose(trials: Sequence[Trial], rule: Rule, targets: Sequence[str]) -> list[Choice]:
    r"""The choice of a rule for each target :math:`t` and seed :math:`s`.

    .. math:: \hat d(t, s) = \arg\max_d \, v(d, t, s)

    Among equals, the first draw is chosen: numbers say nothing of how good a draw is, but that
    draw 0 is the experiment as it stands. Every run counts as it is at its last step, for all
    rules: nothing stops early.

    With "leave_one_out", :math:`v` is the mean of the draw's accuracies on all other targets with
    the same seed, and a draw is compared if it has all of them. Those runs had :math:`t` among
    their sources, so the labels of :math:`t` that are given there have a say. DomainBed makes runs
    without both domains for it, :math:`n (n - 1) / 2` more a draw for :math:`n` targets.

    Args:
        trials: Finished runs of one experiment, each (draw, target, seed) at most once.
        rule: What may be looked at.
        targets: All that were asked for; the choices are in their order.

    Returns:
        The choices; there is none for a target and seed where no draw can be compared.

    References:
        Gulrajani and Lopez-Paz, `In Search of Lost Domain Generalization
        <https://arxiv.org/abs/2007.01434>`_, ICLR 2021, section 3. "labeled" is ours: it is what
        is left where all other images of the sources are unlabeled.
    """
    by_place = {(trial.draw, trial.target, trial.seed): trial for trial in trials}
    seeds = sorted({trial.seed for trial in trials})
    choices = []
    for target in targets:
        for seed in seeds:
            scores: dict[int, float] = {}
            for trial in sorted(trials):
                if (trial.target, trial.seed) != (target, seed):
                    continue
                if (score := _score(trial, rule, by_place, targets)) is not None:
                    scores[trial.draw] = score
            if scores:
                choices.append(_best(scores, rule, by_place, target, seed))
    return choices


def _best(
    scores: dict[int, float], rule: Rule, by_place: Trials, target: str, seed: int
) -> Choice:  # fmt: skip
    best = max(scores.values())
    tied = [draw for draw, score in scores.items() if score == best]
    return Choice(
        rule, target, seed, tied[0], None if rule == "default" else best, len(tied), len(scores),
        by_place[tied[0], target, seed].accuracy,
    )  # fmt: skip


def _score(trial: Trial, rule: Rule, by_place: Trials, targets: Sequence[str]) -> float | None:
    """What the rule thinks of a run, the more the better; None if it cannot tell."""
    if rule == "default":
        return 0.0 if trial.draw == 0 else None
    if rule == "source":
        return trial.held_back
    if rule == "labeled":
        return trial.labeled
    if rule == "oracle":
        return trial.accuracy
    others = [
        by_place.get((trial.draw, other, trial.seed)) for other in targets if other != trial.target
    ]
    found = [other.accuracy for other in others if other is not None]
    return statistics.fmean(found) if found and len(found) == len(others) else None
