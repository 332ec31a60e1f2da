"""Random search over settings, and the ways to choose among what was found."""

from jaxclr.search.command import main

__all__ = ["main"]
