"""The papers behind an experiment, as the docstrings of what it is made of name them."""

import dataclasses
import inspect
import re
import sys

from jaxclr.experiment import Experiment

REFERENCE = re.compile(r"`([^`<]+?)\s*<(https?://[^>]+)>`_")


def papers(experiment: Experiment) -> list[tuple[str, str]]:
    """Titles and addresses, sorted; of a paper that has several names, the longest.

    They are those of the data, the model, the labeler, the terms and whatever else is not left at
    its default, and of the functions that stand beside labeler and terms, which make methods.
    """
    texts = _docstrings(experiment)
    for part in (*experiment.method.terms.values(), experiment.method.labeler):
        module = sys.modules[type(part).__module__]
        found = inspect.getmembers(module, inspect.isfunction)
        texts += [inspect.getdoc(f) or "" for _, f in found if f.__module__ == module.__name__]
    titles: dict[str, str] = {}
    for title, address in REFERENCE.findall("\n".join(texts)):
        titles[address] = max(titles.get(address, ""), " ".join(title.split()), key=len)
    return sorted((title, address) for address, title in titles.items())


def _docstrings(value: object) -> list[str]:
    """Of settings, and of all in them that are not their default."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in _docstrings(part)]
    if not dataclasses.is_dataclass(value):
        return []
    texts = [inspect.getdoc(type(value)) or ""]
    for field in dataclasses.fields(value):
        chosen, factory = getattr(value, field.name), field.default_factory
        if factory is dataclasses.MISSING or factory() != chosen:
            texts += _docstrings(chosen)
    return texts
