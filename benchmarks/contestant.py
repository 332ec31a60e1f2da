"""The process of a contestant: makes steps, or tells what it knows, as its pipe says.

``measure.Contestant`` starts it; it ends when its standard input does.
"""

import importlib
import json
import os
import sys
import traceback
from typing import Any, TextIO

from measure import taken


def answer(file: TextIO, found: dict[str, Any]) -> None:
    """Writes one line of JSON."""
    file.write(json.dumps(found) + "\n")
    file.flush()


def serve(maker: str, arguments: dict[str, Any], pipe: TextIO) -> None:
    """Makes the first step, then answers until there are no questions."""
    module, function = maker.split(":")
    work = getattr(importlib.import_module(module), function)(**arguments)
    answer(pipe, taken(work.run, 1)._asdict())
    for line in sys.stdin:
        question = json.loads(line)
        if "steps" in question:
            answer(pipe, taken(work.run, question["steps"])._asdict())
        else:
            answer(pipe, work.tell(**question["tell"]))


def main() -> None:
    """Pins the process before anything counts its cores, and serves."""
    maker, arguments, pinned = sys.argv[1:]
    os.sched_setaffinity(0, {int(core) for core in pinned.split(",")})
    # What libraries print must not get between the answers.
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if maker.startswith("jax_"):
        # As jaxclr.main does. Torch's steps are as fast with it as without.
        from jaxclr.allocation import keep_freed_memory

        keep_freed_memory()
    try:
        serve(maker, json.loads(arguments), pipe)
    except Exception:
        answer(pipe, {"error": traceback.format_exc()})


if __name__ == "__main__":
    main()
