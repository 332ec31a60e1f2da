"""Decoding: the bytes of an image file become RGB, or a reason why not."""

import io
import re
import struct
import warnings
import zlib

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from jaxclr.errors import JaxclrError

# Pillow knows forty more, some of which start other programs, such as EPS.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
# 256 MiB decoded; where Pillow begins to warn of small files that unfold to fill the memory.
MAX_PIXELS = 2**28 // 3
ALLOWED_PIXELS = f"1 to {MAX_PIXELS:,} are read, so scale it down"
# All that Pillow was seen to raise over bytes that are no whole image.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def silence() -> None:
    """Passes over what Pillow warns of in files that it decodes nevertheless.

    That is damage to what is never read here (notes of cameras, further pictures in the file), and
    the size, on which :func:`rgb` has the last word. Done once, when this module is imported:
    filters of warnings hold for all threads, and could not be set and reset around each image.
    """
    for module, message in (
        ("TiffImagePlugin", ""),
        ("JpegImagePlugin", "Image appears to be a malformed MPO file"),
        ("PngImagePlugin", "Invalid APNG"),
    ):
        warnings.filterwarnings("ignore", message, UserWarning, rf"PIL\.{module}")
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


silence()


def rgb(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes an image file as Pillow's ``convert("RGB")`` does, which the field's loaders use.

    So the format is told by the content, whatever the name; of an animation the first frame is
    taken; transparency is dropped, and shows the colours stored beneath it; CMYK is converted
    without a colour profile; the orientation noted by a camera is not applied. Unlike there,
    16-bit gray is scaled as 16-bit colour is: to its upper byte.

    Args:
        data: The whole file.

    Raises:
        Exception: One of ``DAMAGE``: it is truncated, too large, or no image.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if not 0 < image.width * image.height <= MAX_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels; {ALLOWED_PIXELS}")
        image.load()
        if image.mode.startswith("I"):
            gray = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
            return np.repeat(gray[..., None], 3, axis=-1)
        if image.mode == "RGB":
            return np.array(image)
        # By way of RGBA: a palette with transparency is not converted silently.
        opaque = image.convert("RGBA") if image.mode == "P" else image
        return np.array(opaque.convert("RGB"))


def decoded(data: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes an image that a table holds; see :func:`rgb`.

    Args:
        data: An image file.
        name: What the image is called in the message.

    Raises:
        JaxclrError: It cannot be decoded; says why.
    """
    try:
        return rgb(data)
    except DAMAGE as error:
        raise JaxclrError(f"{name} cannot be decoded: {reason(error, data)}.") from error


def reason(error: Exception, data: bytes) -> str:
    """Says for a message why a file was not decoded.

    Args:
        error: What :func:`rgb` raised.
        data: The whole file.
    """
    if not data:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        *most, last = FORMATS
        return f"it begins with {data[:12]!r}, unlike any {', '.join(most)} or {last}"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        found = re.search(r"\d+", str(error))
        return f"{int(found[0]):,} pixels; {ALLOWED_PIXELS}" if found else str(error)
    return str(error) or type(error).__name__
