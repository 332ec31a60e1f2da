"""Prediction: what a finished run's network says of images in files."""

from jaxclr.predict.command import main

__all__ = ["main"]
