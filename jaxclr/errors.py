"""What a user is told when a run cannot go on: what, where, and what to do."""

import difflib
from collections.abc import Iterable


class JaxclrError(Exception):
    """A failure whose message is meant for the user; the program ends with ``exit_code``."""

    exit_code = 1


class InputError(JaxclrError):
    """What was asked for cannot be done as asked; nothing was started."""

    exit_code = 2


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Says what may stand in place of ``name``, the names most like it first.

    Returns:
        A sentence such as ``Did you mean 'sketch'? Allowed: cartoon, photo, sketch.``
    """
    allowed = list(allowed)
    close = difflib.get_close_matches(name, allowed, n=3)
    hint = f"Did you mean {' or '.join(repr(c) for c in close)}? " if close else ""
    return f"{hint}Allowed: {', '.join(allowed)}."
