"""Damaged bytes: what comes out is an image, or an error of the project's own."""

import faulthandler
import io
import os
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from things import NAMES, pack, pixels

from jaxclr.errors import JaxclrError
from jaxclr.pipeline import decoding, storage
from jaxclr.pipeline.files import Entry
from jaxclr.pipeline.listing import list_images

# Numbers that lengths, offsets and sizes are checked against, or should be.
EDGES = (0, 1, 255, 65535, 70000, 2**31 - 1, 2**32 - 1)
# Seconds; a test takes a few.
LIMIT = 300


@pytest.fixture(autouse=True)
def limited(capfd):
    """Ends the process, and shows where it was, if bytes keep a decoder for ever.

    It takes a thread of its own to interrupt code that is not Python's.
    """
    with capfd.disabled():
        shown = os.dup(2)
    faulthandler.dump_traceback_later(LIMIT, exit=True, file=shown)
    yield
    faulthandler.cancel_dump_traceback_later()
    os.close(shown)


def saved(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def samples() -> dict[str, list[bytes]]:
    """Whole files with all that a file may hold besides pixels."""
    image, exif, notes = Image.fromarray(pixels("ink/cat/a.png")), Image.Exif(), PngInfo()
    exif[0x0112], exif[0x010F], exif[0x011A], exif[0x0128] = 6, "maker" * 5, 72.0, 2
    exif.get_ifd(0x8769)[0x927C] = b"notes" * 10
    notes.add_text("key", "text" * 20, zip=True)
    notes.add_itxt("key", "text", "en", "key", zip=True)
    few, turned = image.quantize(16), image.rotate(180)
    deep = Image.fromarray(pixels("deep")[..., 0].astype(np.uint16) * 257)
    jpeg = [
        saved(image, "JPEG", exif=exif, icc_profile=bytes(50), comment=b"comment"),
        saved(image, "JPEG", progressive=True, dpi=(72, 72)),
        saved(image.convert("CMYK"), "JPEG"),
        saved(image.convert("L"), "JPEG", exif=exif),
        saved(image, "MPO", save_all=True, append_images=[turned]),
    ]
    png = [
        saved(image, "PNG", transparency=(1, 2, 3), pnginfo=notes, icc_profile=bytes(50)),
        saved(few, "PNG", transparency=bytes(range(16))),
        saved(few, "PNG", transparency=3),
        saved(image.convert("LA"), "PNG", exif=exif),
        saved(image.convert("1"), "PNG"),
        saved(deep, "PNG"),
        saved(image, "PNG", save_all=True, append_images=[turned], duration=9),
    ]
    return {"jpeg": jpeg, "png": png}


def damaged(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Flips bits, overwrites numbers, cuts off, cuts out, and splices, once or several times."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        # Headers are short and matter most.
        place = rng.randrange(1 + min(len(data), rng.choice((40, 300, len(data)))))
        match rng.randrange(6):
            case 0 | 1:
                data[place : place + 1] = bytes(b ^ 1 << rng.randrange(8) for b in data[place:][:1])
            case 2:
                number = struct.pack(rng.choice(("<I", ">I")), rng.choice(EDGES))
                data[place : place + 4] = number[: rng.choice((2, 4))]
            case 3:
                del data[place:]
            case 4:
                del data[place : place + rng.randrange(40)]
            case 5:
                start = rng.randrange(len(other))
                data[place:place] = other[start : start + rng.randrange(200)]
    return bytes(data)


def checksummed(data: bytes) -> bytes:
    """Makes the checksums of a damaged PNG right again, behind which nobody would look else."""
    whole, place = data[:8], 8
    while len(body := data[place + 4 : place + 8 + int.from_bytes(data[place : place + 4])]) >= 4:
        whole += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        place += len(body) + 8
    return whole


def outcome(path: Path, data: bytes) -> str:
    """What becomes of a file with these bytes."""
    path.write_bytes(data)
    try:
        image = storage.decode(Entry(str(path.parent), path.name, None, len(data), False, 0))
    except storage.Unreadable as error:
        assert str(error).startswith(f"{path}: cannot be decoded (")
        return "unreadable"
    assert image.dtype == np.uint8 and image.shape[2:] == (3,) and image.size
    return "image"


def examples(kind: str, count: int) -> Iterator[bytes]:
    rng, whole = random.Random(f"{kind} 1"), samples()
    for _ in range(count):
        other = rng.choice(rng.choice(list(whole.values())))
        data = damaged(rng, rng.choice(whole[kind]), other)
        yield checksummed(data) if kind == "png" and rng.random() < 0.7 else data


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_damaged_bytes_are_an_image_or_unreadable(tmp_path, kind):
    decoding.silence()
    for content in samples()[kind]:
        assert outcome(tmp_path / "a.jpg", content) == "image"
    found = [outcome(tmp_path / "a.jpg", data) for data in examples(kind, 800)]
    # Neither so harmless nor so harsh that nothing was tried.
    assert 20 < found.count("image") < 780


def test_damaged_zips_are_read_or_named(tmp_path):
    decoding.silence()
    rng, path = random.Random(1), tmp_path / "a.zip"
    whole = [pack(path, [*NAMES, "ink/été/a.png"], method=method).read_bytes() for method in (0, 8)]
    start, listed, decoded = whole[0].index(b"PK\1\2"), 0, 0
    for _ in range(300):
        content = rng.choice(whole)
        start = rng.choice((0, content.index(b"PK\1\2"), content.index(b"PK\5\6")))
        path.write_bytes(content[:start] + damaged(rng, content[start:], rng.choice(whole)))
        try:
            members = list_images(path).members
            listed += 1
            for member in members:
                assert storage.decode(member.entry).size
                decoded += 1
        except JaxclrError as error:
            assert str(error).startswith((f"{path}: ", f"{path}/")) or " is there twice" in str(
                error
            )
    assert 20 < listed < 280 and decoded > 100
