"""What a setting is drawn from."""

import abc
import dataclasses
import json
import math
from typing import Any, ClassVar

from jaxclr.errors import InputError

Value = float | int | str | bool

DIGITS = 4
"""Significant digits of what is drawn, for commands that can be read."""


@dataclasses.dataclass(frozen=True)
class Distribution(abc.ABC):
    """What a field is drawn from; its ``str`` is what stands for it in a file."""

    kind: ClassVar[str]
    """How a file calls it."""

    @abc.abstractmethod
    def at(self, share: float) -> Value:
        """The value below which lies ``share`` of the distribution, in [0, 1)."""


@dataclasses.dataclass(frozen=True)
class Range(Distribution, abc.ABC):
    """Numbers between two others."""

    low: float
    """Least."""
    high: float
    """Greatest; above the least."""

    def __str__(self) -> str:
        return f"{{{self.kind} = [{self.low}, {self.high}]}}"

    def _rounded(self, value: float) -> float:
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclasses.dataclass(frozen=True)
class Uniform(Range):
    """Every number as likely as the others."""

    kind = "uniform"

    def at(self, share: float) -> float:
        """See :class:`Distribution`; to four digits."""
        return self._rounded(self.low + share * (self.high - self.low))


@dataclasses.dataclass(frozen=True)
class LogUniform(Range):
    """Every order of magnitude as likely as the others, all of them above 0."""

    kind = "log_uniform"

    def at(self, share: float) -> float:
        """See :class:`Distribution`; to four digits."""
        return self._rounded(self.low * (self.high / self.low) ** share)


@dataclasses.dataclass(frozen=True)
class Integer(Range):
    """Every whole number as likely as the others, both ends among them."""

    kind = "integer"

    low: int
    """Least."""
    high: int
    """Greatest."""

    def at(self, share: float) -> int:
        """See :class:`Distribution`."""
        return self.low + int(share * (self.high - self.low + 1))


@dataclasses.dataclass(frozen=True)
class Choice(Distribution):
    """Every option as likely as the others."""

    kind = "choice"

    options: tuple[Value, ...]
    """One or more."""

    def at(self, share: float) -> Value:
        """See :class:`Distribution`."""
        return self.options[int(share * len(self.options))]

    def __str__(self) -> str:
        return f"{{{self.kind} = {json.dumps(self.options)}}}"


RANGES: dict[str, type[Range]] = {one.kind: one for one in (Uniform, LogUniform, Integer)}
"""By the names that a file calls them."""

ALLOWED = (
    "Allowed: {uniform = [LOW, HIGH]}, {log_uniform = [LOW, HIGH]}, {integer = [LOW, HIGH]}, "
    "{choice = [OPTION, ...]}."
)
"""What a user is told who gave something else."""


def distribution(kind: str, given: object) -> Distribution:
    """The distribution of that kind.

    Args:
        kind: What a file calls it.
        given: Its bounds or options.

    Raises:
        InputError: There is no such kind, or these are no bounds or options of it.
    """
    if problem := _problem(kind, given):
        raise InputError(f"{problem}. {ALLOWED}")
    values: list[Any] = given if isinstance(given, list) else []
    if kind == Choice.kind:
        return Choice(tuple(values))
    if kind == Integer.kind:
        return Integer(*values)
    return RANGES[kind](*map(float, values))


def _problem(kind: str, given: object) -> str | None:
    """Why these are no bounds or options; None if they are."""
    if kind not in (*RANGES, Choice.kind):
        return f"there is no distribution {kind}"
    if not isinstance(given, list):
        return f"{given!r} is no list"
    if kind == Choice.kind:
        wrong = [one for one in given if not isinstance(one, Value)]
        if wrong:
            return f"{wrong[0]!r} is neither a number nor a word"
        return None if given else "there is no option to choose"
    if len(given) != 2:
        return f"{kind} needs two bounds, and has {len(given)}"
    for bound in given:
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            return f"{bound!r} is no number"
        if not math.isfinite(bound):
            return f"{bound} is not finite"
        if kind == Integer.kind and not isinstance(bound, int):
            return f"{bound} is no whole number"
    low, high = given
    if low >= high:
        return f"the range from {low} to {high} is empty"
    if kind == LogUniform.kind and low <= 0:
        return f"a log-uniform range must be above 0, and starts at {low}"
    return None
