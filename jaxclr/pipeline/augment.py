"""The views of an image that a method learns from: weak, strong, and the one for testing."""

import dataclasses
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxclr.errors import InputError
from jaxclr.pipeline.engines import Engine, EngineName, Pillow, engine_of

Where = Literal["host", "device"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# How much larger an image is made before a window of it is cut out: 252 px for 224.
ENLARGEMENT = 1.125


@dataclasses.dataclass(frozen=True)
class Augment:
    """The weak and strong views of an image, and the one it is tested on.

    The defaults are the protocol of the ssdg-benchmark. Every view is a square of 8-bit RGB
    values; normalising them is left to the device. A view depends on the image, these settings
    and the state of the generator alone. Images are RGB, at least one pixel wide and high.

    Raises:
        InputError: A size, probability, count or deviation is out of its range.

    References:
        Zhou et al., `Semi-Supervised Domain Generalization with Stochastic StyleMatch
        <https://arxiv.org/abs/2106.00592>`_, 2021.
    """

    size: int = 224
    """Side of every view, in pixels, at least 8."""

    flip: float = 0.5
    """Probability that a training view is mirrored left to right."""

    translate: float = 0.5
    """Probability that the weak view is enlarged by an eighth and a window of it taken."""

    operations: int = 2
    """How many RandAugment operations the strong view goes through; 0 for none."""

    cutout: int = 16
    """Side of the black hole in the strong view, in pixels; 0 for none."""

    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Mean of red, green and blue where black is 0 and white 1; taken off on the device."""

    std: tuple[float, float, float] = IMAGENET_STD
    """Deviation of red, green and blue on the same scale, above 0; divided by on the device."""

    engine: EngineName = "pillow"
    """What the host makes training views with. OpenCV makes the same ones faster, but for how it
    rounds; it is an extra: pip install 'jaxclr[opencv]'."""

    where: Where = "host"
    """Where training views are made. On the device, the host sends plain squares and the step
    makes views of them, of the same kinds but by other draws."""

    def __post_init__(self) -> None:
        if self.size < 8:
            raise InputError(f"size is {self.size}: views need a side of at least 8 pixels.")
        for name in ("flip", "translate"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"{name} is {getattr(self, name)}: give a probability between 0 and 1."
                )
        for name in ("operations", "cutout"):
            if getattr(self, name) < 0:
                raise InputError(
                    f"{name} is {getattr(self, name)}: give 0 for none, or a positive number."
                )
        if not np.isfinite(self.mean).all():
            raise InputError(f"mean is {self.mean}: give three finite numbers, 0 for no shift.")
        if not all(0 < deviation < np.inf for deviation in self.std):
            raise InputError(f"std is {self.std}: give numbers above 0, 1 for no scaling.")
        if self.where == "device" and type(self) is not Augment:
            raise InputError(
                f"where is device: there the views of Augment are made, not yet those of "
                f"{type(self).__name__}. Give --augment.where host, or another augment."
            )
        engine_of(self.engine)

    def weak(
        self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "s s 3"]:
        """Shows the image whole or slightly enlarged and shifted, and perhaps mirrored.

        Args:
            image: The picture as it was read, of any shape; its proportions are not kept.
            rng: Moves on by the same draws whatever they turn out to be.

        Returns:
            A new, writable array.
        """
        view, engine = self._square(image), self._engine
        moved = rng.random() < self.translate
        enlarged = round(self.size * ENLARGEMENT)
        left, top = rng.integers(enlarged - self.size + 1, size=2).tolist()
        if moved:
            view = engine.window(engine.resized(view, enlarged, enlarged), left, top, self.size)
        return np.array(self._mirrored(view, rng))

    def strong(
        self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "s s 3"]:
        """Shows the image perhaps mirrored, then distorted, then with a black hole in it.

        The centre of the hole is uniform over the pixels; what lies past the border is lost.

        Args:
            image: The picture as it was read, of any shape; its proportions are not kept.
            rng: Gives the mirroring, the operations, their magnitudes, and the hole, in order.

        Returns:
            A new, writable array.
        """
        view = self._mirrored(self._square(image), rng)
        view = self._engine.distorted(view, self.operations, rng)
        return with_hole(view, self.cutout, (0, 0, 0), rng)

    def square(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "s s 3"]:
        """Shows the image whole, as what the device makes views of.

        Args:
            image: The picture as it was read, of any shape; its proportions are not kept.

        Returns:
            A new, writable array.
        """
        return np.array(self._square(image))

    def evaluation(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "s s 3"]:
        """Scales the shorter side to ``size``, keeping proportions, and takes the central square.

        It is made by Pillow always, that results may be compared.

        Args:
            image: The picture as it was read, of any shape.

        Returns:
            A new, writable array.
        """
        engine = Pillow()
        view = engine.opened(image)
        shorter = min(view.size)
        width, height = (self.size * side // shorter for side in view.size)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        return np.array(engine.window(engine.resized(view, width, height), left, top, self.size))

    @property
    def _engine(self) -> Engine:
        return engine_of(self.engine)

    def _square(self, image: UInt8[np.ndarray, "h w 3"]) -> Any:
        return self._engine.resized(self._engine.opened(image), self.size, self.size)

    def _mirrored(self, view: Any, rng: np.random.Generator) -> Any:
        return self._engine.mirrored(view) if rng.random() < self.flip else view


def digits() -> Augment:
    """Views of digits: 32 px, values scaled to -1 to 1, and never mirrored into another digit."""
    return Augment(size=32, flip=0.0, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def with_hole(
    view: Image.Image | UInt8[np.ndarray, "s s 3"], side: int, fill: tuple[int, int, int],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "s s 3"]:  # fmt: skip
    """Fills a square about a pixel drawn uniformly; what of it lies past the border is lost.

    Args:
        view: A square RGB image; it is not changed.
        side: Of the square that is filled, in pixels; 0 for none.
        fill: Red, green and blue, 0 to 255.
        rng: Moves on by the same draws whatever the side.

    Returns:
        A new, writable array.
    """
    pixels = np.array(view)
    row, column = rng.integers(len(pixels), size=2).tolist()
    top, left = row - side // 2, column - side // 2
    pixels[max(top, 0) : top + side, max(left, 0) : left + side] = fill
    return pixels
