"""Spaces of settings to draw from: a distribution for each of some fields of an experiment."""

import dataclasses
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jaxclr.errors import InputError, nearest
from jaxclr.search.distributions import (
    ALLOWED,
    DIGITS,
    Distribution,
    LogUniform,
    Uniform,
    Value,
    distribution,
)

Settings = dict[str, Value]
"""Values of fields by their paths, such as ``optimizer.learning_rate``."""

FACTORS = {
    "learning_rate": (0.1, 3.0),
    "head_learning_rate": (0.1, 3.0),
    "weight_decay": (0.1, 10.0),
    "weight": (0.1, 10.0),
    "temperature": (1 / 3, 3.0),
}
"""Between which multiples of its default a field of that name is drawn, log-uniformly."""

BELOW = 0.15
"""How far below its default a threshold is drawn; above, it goes half the way to 1."""

RUNS = ("name", "targets", "seeds")
"""What cannot be drawn, since it says which runs to make."""

Space = Mapping[str, Distribution]
"""What each field that is drawn is drawn from."""


def draw(space: Space, number: int) -> Settings:
    """The settings of a draw: of draw 0 none, which leaves all as it stands.

    A value depends on its path, its distribution and the number alone. What else is drawn, for
    which experiment and how often changes nothing, so a search can be extended, and in draw 7 all
    experiments have the same learning rate, if from the same range.
    """
    if number == 0:
        return {}
    return {path: how.at(_share(path, number)) for path, how in space.items()}


def _share(path: str, number: int) -> float:
    digest = hashlib.sha256(f"{number} {path}".encode()).digest()
    # As many bits as a float in [0, 1) has.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def flags(settings: Mapping[str, Value]) -> tuple[str, ...]:
    """The settings as flags of ``jaxclr.main``."""
    found: list[str] = []
    for path, value in settings.items():
        folder, _, name = path.replace("_", "-").rpartition(".")
        stem = f"--{folder}." if folder else "--"
        if isinstance(value, bool):
            found.append(f"{stem}{'' if value else 'no-'}{name}")
        else:
            found += [f"{stem}{name}", str(value)]
    return tuple(found)


def leaves(value: object, path: str = "") -> dict[str, object]:
    """Every single setting of settings by its path."""
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif dataclasses.is_dataclass(value):
        parts = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    else:
        return {path: value}
    return {
        leaf: found
        for name, part in parts
        for leaf, found in leaves(part, f"{path}.{name}".lstrip(".")).items()
    }


def default_space(experiment: object) -> dict[str, Distribution]:
    """What is drawn where nothing else is said: ranges around the experiment's own settings.

    These are the optimizer's rates and weight decay, and the weights, temperatures and thresholds
    of the method's terms and labeler, as :data:`FACTORS` and :data:`BELOW` say. The weight of the
    first term stays: others are relative to it. What is 0 is off, and stays so. The batch stays,
    too, so that all draws see equally many images. The ranges are ours, in the manner of DomainBed.

    References:
        Gulrajani and Lopez-Paz, `In Search of Lost Domain Generalization
        <https://arxiv.org/abs/2007.01434>`_, ICLR 2021, whose appendix has their
        distributions.
    """
    space: dict[str, Distribution] = {}
    units = 0
    for path, value in leaves(experiment).items():
        parts = path.split(".")
        owner, name = parts[:-1], parts[-1]
        of_term = owner[:2] == ["method", "terms"]
        units += of_term and name == "weight"
        unit = of_term and name == "weight" and units == 1
        # A labeler may stand around another one.
        searched = of_term or owner == ["optimizer"] or owner[:2] == ["method", "labeler"]
        if not searched or unit or not _is_number(value) or value <= 0:
            continue
        if name in FACTORS:
            low, high = (float(f"{value * factor:.{DIGITS}g}") for factor in FACTORS[name])
            space[path] = LogUniform(low, high)
        elif name == "threshold" and value < 1:
            space[path] = Uniform(round(max(value - BELOW, 0.0), 4), round((value + 1) / 2, 4))
    return space


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_space(file: Path) -> dict[str, Distribution]:
    """The space in a TOML file, such as ``optimizer.learning_rate = {log_uniform = [1e-3, 1e-1]}``.

    Raises:
        InputError: It is not there, or a distribution is none.
    """
    try:
        found = tomllib.loads(file.read_text())
    except FileNotFoundError:
        raise InputError(f"--space: there is no file {file}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--space: {file} is no TOML: {error}.") from None
    if not (space := _distributions(found)):
        raise InputError(f"--space: {file} names no field.")
    return space


def _distributions(table: Mapping[str, Any], path: str = "") -> dict[str, Distribution]:
    space: dict[str, Distribution] = {}
    for name, part in table.items():
        here = f"{path}.{name}".lstrip(".")
        if not isinstance(part, Mapping) or not part:
            raise InputError(f"--space: {here} has no distribution. {ALLOWED}")
        kind, given = next(iter(part.items()))
        if isinstance(given, Mapping):
            space |= _distributions(part, here)
            continue
        if len(part) > 1:
            raise InputError(f"--space: {here} has more than one distribution. {ALLOWED}")
        try:
            space[here] = distribution(kind, given)
        except InputError as error:
            raise InputError(f"--space: {here}: {error}") from None
    return space


def refuse_unknown(space: Iterable[str], paths: Iterable[str]) -> None:
    """Refuses a space that draws what cannot be drawn, or is none of the paths.

    Raises:
        InputError: Names the path, and those that are near it.
    """
    paths = list(paths)
    for path in space:
        if path in RUNS:
            raise InputError(f"--space: {path!r} says which runs to make, and cannot be drawn.")
        if path not in paths:
            near = [one for one in paths if one.split(".")[0] == path.split(".")[0]]
            raise InputError(
                f"--space: no experiment has a field {path!r}. {nearest(path, near or paths)}"
            )
