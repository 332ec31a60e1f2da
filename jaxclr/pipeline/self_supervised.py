"""Views of images as self-supervised learning makes them: windows in other colours."""

import dataclasses
import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFilter

from jaxclr.errors import InputError
from jaxclr.pipeline.augment import Augment, with_hole
from jaxclr.pipeline.operations import brightness, color, contrast, distort
from jaxclr.pipeline.small_images import CIFAR10_MEAN, CIFAR10_STD

# How many windows are drawn; the first that lies within the image is taken.
TRIES = 10
# Deviation of the Gaussian that blurs a view, in pixels, from and to.
BLUR = (0.1, 2.0)


@dataclasses.dataclass(frozen=True)
class SelfSupervised(Augment):
    """Strong views are random windows in other colours; weak ones such windows as they are.

    A method that compares two views of an image takes two strong ones. The defaults are those of
    CIFAR-10. Windows and colours are drawn as by torchvision's ``RandomResizedCrop``,
    ``ColorJitter`` and ``RandomGrayscale``.

    Raises:
        InputError: A size, probability, range or deviation is out of its range.

    References:
        Chen et al., `A Simple Framework for Contrastive Learning of Visual Representations
        <https://arxiv.org/abs/2002.05709>`_, 2020, with the weaker colours that
        Ermolov et al., `Whitening for Self-Supervised Representation Learning
        <https://arxiv.org/abs/2007.06346>`_, 2021, take for small images. Small windows besides are
        those of Caron et al., `SwAV <https://arxiv.org/abs/2006.09882>`_, 2020 (of 0.05 to 0.14 of
        the image) and `DINO <https://arxiv.org/abs/2104.14294>`_, 2021 (0.05 to 0.4).
    """

    size: int = 32
    """Side of every view, in pixels, at least 8."""

    translate: float = 1.0
    """Probability that a training view is a window of the image, not all of it."""

    operations: int = 0
    """How many RandAugment operations the strong view goes through last; 0 for none."""

    cutout: int = 0
    """Side of the black hole in the strong view, in pixels; 0 for none."""

    mean: tuple[float, float, float] = CIFAR10_MEAN
    """Mean of red, green and blue where black is 0 and white 1; taken off on the device."""

    std: tuple[float, float, float] = CIFAR10_STD
    """Deviation of red, green and blue on the same scale, above 0; divided by on the device."""

    area: tuple[float, float] = (0.2, 1.0)
    """Share of the image that the window covers, uniform between the two; in (0, 1]."""

    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Width of the window over its height, log-uniform between the two; above 0."""

    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    """How far brightness, contrast and saturation go from 1, as factors, at most 1; and hue from 0,
    as a turn of the circle of colours, at most 0.5. All are uniform."""

    jitter_probability: float = 0.8
    """Probability that the colours of a strong view move, in all four ways, in random order."""

    gray: float = 0.1
    """Probability that a strong view loses its colours."""

    blur: float = 0.0
    """Probability that a strong view is blurred, by a Gaussian of 0.1 to 2 px; 0.5 is usual, but
    not for views as small as 32 px."""

    crops: int = 0
    """How many small windows besides are shown of every image; 0 for none. Methods that learn from
    them say so."""

    crop_size: int = 16
    """Side of the views of small windows, in pixels, at least 8."""

    crop_area: tuple[float, float] = (0.05, 0.2)
    """Share of the image that a small window covers, uniform between the two; in (0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.engine != "pillow":
            raise InputError(
                f"engine is {self.engine}: self-supervised views, with their hues and blurs, are "
                "made by Pillow alone. Give --augment.engine pillow."
            )
        for name in ("jitter_probability", "gray", "blur"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"{name} is {getattr(self, name)}: give a probability between 0 and 1."
                )
        for name in ("area", "crop_area"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 1:
                raise InputError(f"{name} is {(low, high)}: give two shares, 0 < from <= to <= 1.")
        if self.crops < 0:
            raise InputError(f"crops is {self.crops}: give 0 for none, or a positive number.")
        if self.crop_size < 8:
            raise InputError(f"crop_size is {self.crop_size}: give at least 8 pixels.")
        if not 0 < self.ratio[0] <= self.ratio[1] < math.inf:
            raise InputError(f"ratio is {self.ratio}: give two numbers, 0 < from <= to.")
        if not (all(0 <= far <= 1 for far in self.jitter) and self.jitter[3] <= 0.5):
            raise InputError(
                f"jitter is {self.jitter}: give four numbers from 0 to 1, the last at most 0.5."
            )

    def weak(
        self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "s s 3"]:
        """Shows a window of the image, perhaps mirrored, in its own colours.

        Args:
            image: The picture as it was read, of any shape; the window's proportions are not kept.
            rng: Moves on by the same draws whatever they turn out to be.

        Returns:
            A new, writable array.
        """
        return np.array(self._part(image, rng))

    def strong(
        self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "s s 3"]:
        """Shows a window of the image, perhaps mirrored, in other colours or in gray, or blurred.

        Args:
            image: The picture as it was read, of any shape; the window's proportions are not kept.
            rng: Gives the window, the mirroring, the colours, the graying, the blur, and what there
                is of RandAugment and cutout, in order.

        Returns:
            A new, writable array.
        """
        view = self._recoloured(self._part(image, rng), rng)
        if rng.random() < self.gray:
            view = view.convert("L").convert("RGB")
        blurred, deviation = rng.random() < self.blur, rng.uniform(*BLUR)
        if blurred:
            view = view.filter(ImageFilter.GaussianBlur(deviation))
        return with_hole(distort(view, self.operations, rng), self.cutout, (0, 0, 0), rng)

    def small(
        self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "c s s 3"]:
        """Shows ``crops`` small windows of the image, each as a strong view of that size.

        Args:
            image: The picture as it was read, of any shape; the windows' proportions are not kept.
            rng: Gives one window after another, so that the first ones are the same however many
                there are.

        Returns:
            A new, writable array.
        """
        size = self.crop_size
        one = dataclasses.replace(self, crops=0, size=size, area=self.crop_area, translate=1.0)
        views = np.empty((self.crops, size, size, 3), np.uint8)
        for view in views:
            view[:] = one.strong(image, rng)
        return views

    def _part(self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> Image.Image:
        """A window of the image, or all of it, resized and perhaps mirrored."""
        taken = rng.random() < self.translate
        height, width, _ = image.shape
        left, top, right, bottom = self._window(width, height, rng)
        part = image[top:bottom, left:right] if taken else image
        return self._mirrored(self._square(part), rng)

    def _window(
        self, width: int, height: int, rng: np.random.Generator
    ) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the first window drawn that fits, or of the central one."""
        share, slant = rng.random((2, TRIES))
        across, down = rng.random(2).tolist()
        area = width * height * (self.area[0] + (self.area[1] - self.area[0]) * share)
        low, high = np.log(self.ratio)
        ratio = np.exp(low + (high - low) * slant)
        wide, tall = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
        fits = (wide > 0) & (wide <= width) & (tall > 0) & (tall <= height)
        if fits.any():
            w, h = int(wide[fits.argmax()]), int(tall[fits.argmax()])
            left, top = int(across * (width - w + 1)), int(down * (height - h + 1))
        else:
            w = max(min(width, round(height * self.ratio[1])), 1)
            h = max(min(height, round(width / self.ratio[0])), 1)
            left, top = (width - w) // 2, (height - h) // 2
        return left, top, left + w, top + h

    def _recoloured(self, view: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Moves brightness, contrast, saturation and hue, in random order, or none of them."""
        changes = rng.random() < self.jitter_probability
        magnitude = (1, 1, 1, 0) + np.array(self.jitter) * rng.uniform(-1, 1, 4)
        order = rng.permutation(4).tolist()
        if changes:
            for which in order:
                view = COLOURS[which](view, float(magnitude[which]))
        return view


def turned(image: Image.Image, turn: float) -> Image.Image:
    """Moves every hue on by ``turn`` of the circle of colours, in steps of 1/255.

    Args:
        image: An RGB image; it is not changed.
        turn: From -0.5 to 0.5; red, green and blue lie a third apart.

    Returns:
        An image of the same size, the one given where no hue moves.
    """
    steps = round(255 * turn)
    if not steps:
        return image
    hue, saturation, value = image.convert("HSV").split()
    moved = hue.point([(level + steps) % 255 for level in range(256)])
    return Image.merge("HSV", (moved, saturation, value)).convert("RGB")


# What moves colours, each from where it changes nothing: 1, or for the hue 0.
COLOURS = (brightness, contrast, color, turned)


def small_windows(augment: Augment) -> SelfSupervised:
    """The views, where they have small windows.

    Raises:
        InputError: They have none.
    """
    if isinstance(augment, SelfSupervised) and augment.crops:
        return augment
    raise InputError(
        "The method has a term on small windows, and the views have none. Give an augment that is "
        "SelfSupervised(crops=4), or --augment.crops 4 where it is SelfSupervised."
    )


def self_supervised_cifar10() -> SelfSupervised:
    """Views of CIFAR-10."""
    return SelfSupervised()


def self_supervised_digits() -> SelfSupervised:
    """Views of digits: never mirrored, and at least half of each to be seen."""
    return SelfSupervised(flip=0.0, area=(0.5, 1.0), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
