"""What a user is told when a run cannot go on: what, where, and what to do."""

import difflib
import logging
import sys
from collections.abc import Callable, Iterable


class JaxclrError(Exception):
    """A failure whose message is meant for the user; the program ends with ``exit_code``."""

    exit_code = 1


class InputError(JaxclrError):
    """What was asked for cannot be done as asked; nothing was started."""

    exit_code = 2


def exit_code(
    command: Callable[[], int], *, interrupted: str, worded: Callable[[str], str] = str
) -> int:
    """Runs a command line; what goes wrong by the user's or the machine's doing is told in a line.

    Args:
        command: Returns its own exit code.
        interrupted: Told of what goes on where, if the user interrupts it.
        worded: What becomes of a message before it is shown.

    Returns:
        The exit code: 0, 1 for a failure, 2 for bad input, 130 for an interruption.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        return command()
    except JaxclrError as error:
        print(f"error: {worded(str(error))}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"error: {error}. Is the disk full, or the folder read-only?", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted. {interrupted}", file=sys.stderr)
        return 130


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Says what may stand in place of ``name``, the names most like it first.

    Returns:
        A sentence such as ``Did you mean 'sketch'? Allowed: cartoon, photo, sketch.``
    """
    allowed = list(allowed)
    close = difflib.get_close_matches(name, allowed, n=3)
    hint = f"Did you mean {' or '.join(repr(c) for c in close)}? " if close else ""
    return f"{hint}Allowed: {', '.join(allowed)}."
