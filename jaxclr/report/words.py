"""How lists and counts are told on a page."""

from collections.abc import Sequence


def joined(parts: Sequence[str]) -> str:
    """``a, b and c``.

    Args:
        parts: One at least.
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def counted(number: int, thing: str) -> str:
    """``1 run``, ``2 runs``, ``0 runs``."""
    return f"{number} {plural(thing, number)}"


def plural(thing: str, number: int) -> str:
    """What ``number`` of them are called: ``run``, or ``runs``."""
    return thing if number == 1 else f"{thing}s"


def shortened(parts: Sequence[str], most: int) -> str:
    """``a, b and 3 more``: not more than ``most`` of them are named."""
    more = len(parts) - most
    return f"{', '.join(parts[:most])}{f' and {more} more' if more > 0 else ''}"
