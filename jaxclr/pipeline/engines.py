"""What views are made with on the host: Pillow, which is the reference, or OpenCV."""

import functools
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxclr.errors import InputError
from jaxclr.pipeline.operations import distort

EngineName = Literal["pillow", "opencv"]


@runtime_checkable
class Engine(Protocol):
    """The steps of making a view; a picture is of the engine's own type, and is never changed.

    ``np.array`` of a picture gives its pixels. All draws are made outside, or in the same order
    by both, so that views differ only by how pixels are rounded.
    """

    def opened(self, image: UInt8[np.ndarray, "h w 3"]) -> Any:
        """The picture of an array."""
        ...

    def resized(self, picture: Any, width: int, height: int) -> Any:
        """Bilinear; the picture itself where it has that size."""
        ...

    def window(self, picture: Any, left: int, top: int, side: int) -> Any:
        """A square that lies within the picture."""
        ...

    def mirrored(self, picture: Any) -> Any:
        """Left to right."""
        ...

    def distorted(self, picture: Any, count: int, rng: np.random.Generator) -> Any:
        """After ``count`` operations of RandAugment."""
        ...


class Pillow:
    """Pillow on its own images."""

    def opened(self, image: UInt8[np.ndarray, "h w 3"]) -> Image.Image:
        """The picture of an array."""
        return Image.fromarray(image)

    def resized(self, picture: Image.Image, width: int, height: int) -> Image.Image:
        """Bilinear, smoothed where the picture shrinks."""
        if picture.size == (width, height):
            return picture
        return picture.resize((width, height), Image.Resampling.BILINEAR)

    def window(self, picture: Image.Image, left: int, top: int, side: int) -> Image.Image:
        """A square that lies within the picture."""
        return picture.crop((left, top, left + side, top + side))

    def mirrored(self, picture: Image.Image) -> Image.Image:
        """Left to right."""
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)

    def distorted(self, picture: Image.Image, count: int, rng: np.random.Generator) -> Image.Image:
        """After ``count`` operations of RandAugment."""
        return distort(picture, count, rng)


class OpenCv:
    """OpenCV on arrays.

    Raises:
        InputError: OpenCV is not installed.
    """

    def __init__(self):
        try:
            from jaxclr.pipeline import operations_opencv
        except ModuleNotFoundError as error:
            if error.name != "cv2":
                raise
            raise InputError(
                "engine is opencv, but OpenCV is not installed. Install it: pip install "
                "'jaxclr[opencv]'; or give --augment.engine pillow."
            ) from None
        self._by = operations_opencv

    def opened(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The picture of an array: itself, where it lies as OpenCV wants it."""
        return np.ascontiguousarray(image)

    def resized(
        self, picture: UInt8[np.ndarray, "h w 3"], width: int, height: int
    ) -> UInt8[np.ndarray, "a b 3"]:
        """Bilinear if it grows, the mean of areas if it shrinks."""
        return self._by.resized(picture, width, height)

    def window(
        self, picture: UInt8[np.ndarray, "h w 3"], left: int, top: int, side: int
    ) -> UInt8[np.ndarray, "s s 3"]:
        """A square that lies within the picture."""
        return picture[top : top + side, left : left + side]

    def mirrored(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """Left to right."""
        return self._by.mirrored(picture)

    def distorted(
        self, picture: UInt8[np.ndarray, "h w 3"], count: int, rng: np.random.Generator
    ) -> UInt8[np.ndarray, "h w 3"]:
        """After ``count`` operations of RandAugment."""
        return self._by.distort(picture, count, rng)


@functools.cache
def engine_of(name: EngineName) -> Engine:
    """The engine of that name.

    Raises:
        InputError: What it needs is not installed.
    """
    return OpenCv() if name == "opencv" else Pillow()
