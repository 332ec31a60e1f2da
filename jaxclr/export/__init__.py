"""Hand-over: a finished run's network for others to use."""

from jaxclr.export.command import export, main

__all__ = ["export", "main"]
