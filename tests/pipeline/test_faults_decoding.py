"""What images may look like inside, whatever their names say."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from things import NAMES, Things, fill, pixels, png

from jaxclr.errors import JaxclrError
from jaxclr.pipeline import decoding, storage
from jaxclr.pipeline.listing import list_images

COLOURS = pixels("ink/cat/a.png")
GRAY = COLOURS[..., 0]
ALPHA = np.arange(GRAY.size, dtype=np.uint8).reshape(GRAY.shape)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bare_png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG by the letter of its specification: header, compressed rows, end."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def broken_exif() -> bytes:
    """A whole JPEG whose camera notes say that one of them lies where there is nothing."""
    note = struct.pack("<HHII", 0x010F, 2, 500, 9999)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + note + bytes(4)
    return encoded(Image.fromarray(COLOURS), "JPEG", exif=exif)


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_to_eight_and_not_clipped(channels):
    deep = np.random.default_rng(0).integers(0, 2**16, (5, 4, channels), np.uint16)
    deep[0, 0], deep[0, 1], deep[0, 2] = 65535, 255, 256
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    found = decoding.rgb(bare_png(4, 5, 16, 0 if channels == 1 else 2, rows))
    np.testing.assert_array_equal(found, np.broadcast_to(deep // 256, (5, 4, 3)))


def test_transparency_is_dropped_and_shows_the_colours_beneath():
    image, gray, alpha = Image.fromarray(COLOURS), Image.fromarray(GRAY), Image.fromarray(ALPHA)
    few = image.quantize(7)
    flat, levels = np.array(few.convert("RGB")), np.stack([GRAY] * 3, -1)
    cases = {
        "rgba": (Image.merge("RGBA", (*image.split(), alpha)), {}, COLOURS),
        "gray and alpha": (Image.merge("LA", (gray, alpha)), {}, levels),
        "one transparent gray": (gray, {"transparency": int(GRAY[0, 0])}, levels),
        "one transparent colour": (image, {"transparency": tuple(COLOURS[0, 0].tolist())}, COLOURS),
        "palette": (few, {}, flat),
        "one transparent entry": (few, {"transparency": 3}, flat),
        "palette and alpha": (few, {"transparency": bytes(range(0, 210, 30))}, flat),
    }
    for name, (saved, options, expected) in cases.items():
        found = decoding.rgb(encoded(saved, "PNG", **options))
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_cmyk_is_converted_without_a_profile():
    ink = (200, 30, 90, 60)
    image = Image.new("CMYK", (16, 16), ink)
    expected = [(255 - part) * (255 - ink[3]) / 255 for part in ink[:3]]
    found = decoding.rgb(encoded(image, "JPEG", quality=100, icc_profile=bytes(300)))
    np.testing.assert_allclose(found[8, 8], expected, atol=4)


def test_the_orientation_noted_by_a_camera_is_not_applied():
    """As in torchvision's and Dassl's loaders; rotated, images would differ from the field's."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(COLOURS)
    plain = decoding.rgb(encoded(image, "JPEG"))
    assert plain.shape == COLOURS.shape
    for form in ("JPEG", "PNG"):
        found = decoding.rgb(encoded(image, form, exif=exif))
        np.testing.assert_array_equal(found, plain if form == "JPEG" else COLOURS)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_the_first_frame_of_an_animation_is_taken_whatever_the_name(tmp_path, form, suffix):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "lime", "blue")]
    options = {"save_all": True, "append_images": frames[1:], "duration": 40}
    options |= {"lossless": True} if form == "WEBP" else {}
    (tmp_path / "ink/cat").mkdir(parents=True)
    (tmp_path / f"ink/cat/a.{suffix}").write_bytes(encoded(frames[0], form, **options))
    (member,) = list_images(tmp_path).members
    found = storage.decode(member.entry)
    np.testing.assert_array_equal(found, np.broadcast_to(np.uint8([255, 0, 0]), (5, 6, 3)))


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF"])
def test_the_format_is_told_by_the_content(tmp_path, form):
    few = Image.fromarray(COLOURS).quantize(9).convert("RGB")
    (tmp_path / "ink/cat").mkdir(parents=True)
    (tmp_path / "ink/cat/a.JPEG").write_bytes(encoded(few, form))
    (member,) = list_images(tmp_path).members
    np.testing.assert_array_equal(storage.decode(member.entry), np.array(few))


JPEG = encoded(Image.fromarray(COLOURS), "JPEG")
WIDE = bare_png(2000, 1, 8, 0, b"\0" + np.random.default_rng(0).bytes(2000))
WIDE = WIDE[:33] + chunk(b"IDAT", WIDE[41:500])
BAD = {
    "empty": (b"", "the file is empty"),
    "text": (b"version https://git-lfs", r"begins with b'version http', unlike any JPEG, PNG, GIF"),
    "page": (b"<!DOCTYPE html>\n", r"begins with b'<!DOCTYPE ht'"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", r"begins with b'%!PS"),
    "tiff": (encoded(Image.fromarray(COLOURS), "TIFF"), "begins with b'II"),
    "cut jpeg": (JPEG[:-20], "truncated"),
    "cut png": (png("a")[: len(png("a")) // 2], "truncated"),
    "broken chunk": (WIDE + bytes(20), r"broken PNG file \(chunk b'.x00"),
    "header only": (JPEG[:20], r"begins with b'\\xff\\xd8"),
    "no pixels": (bare_png(0, 5, 8, 2, b""), "begins with b'.x89PNG|pixels"),
    "large": (bare_png(10_000, 9_000, 8, 0, b""), r"(10000 x 9000|90,000,000) pixels; 1 to 89,478"),
    "enormous": (bare_png(20_000, 20_000, 8, 0, b""), r"400,000,000 pixels; 1 to 89,478,485 are"),
}


@pytest.mark.parametrize("loud", [False, True], ids=["", "warnings are errors"])
@pytest.mark.parametrize(("content", "found"), BAD.values(), ids=BAD.keys())
def test_what_is_no_image_is_named_with_what_was_found_and_what_to_do(
    tmp_path, content, found, loud
):
    if not loud:
        decoding.silence()
    fill(tmp_path)
    (tmp_path / "ink/cat/b.png").write_bytes(content)
    with pytest.raises(storage.Unreadable, match=found) as caught:
        Things(root=str(tmp_path)).load().domains[0].images[1]
    assert str(caught.value).startswith(f"{tmp_path}/ink/cat/b.png: cannot be decoded (")
    assert "--dataset.skip-unreadable" in str(caught.value)


def test_a_file_too_large_to_hold_is_refused_unread(tmp_path):
    fill(tmp_path)
    with open(tmp_path / NAMES[0], "wb") as file:
        file.truncate(2**40)
    with pytest.raises(storage.Unreadable, match=r"1,099,511,627,776 bytes; 536,870,910 are read"):
        Things(root=str(tmp_path)).load().domains[0].images[0]


def test_damage_to_what_is_never_read_is_passed_over_in_silence(tmp_path):
    data = broken_exif()
    with (
        pytest.warns(UserWarning),
        Image.open(io.BytesIO(data)) as image,
    ):
        image.load()
    decoding.silence()
    assert decoding.rgb(data).shape == COLOURS.shape


def test_the_silence_is_kept_in_a_fresh_process_whose_warnings_are_errors(tmp_path):
    (tmp_path / "a.jpg").write_bytes(broken_exif())
    program = (
        "import sys; from jaxclr.pipeline.decoding import rgb; rgb(open(sys.argv[1],'rb').read())"
    )
    command = [sys.executable, "-W", "error::UserWarning", "-c", program, str(tmp_path / "a.jpg")]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""


@pytest.mark.parametrize("skip", [False, True])
def test_a_failure_that_is_not_the_images_fault_names_it_and_is_never_skipped(
    tmp_path, monkeypatch, skip
):
    def exhausted(_):
        raise MemoryError("no room for 12 bytes")

    monkeypatch.setattr(storage, "rgb", exhausted)
    with pytest.raises(JaxclrError, match=r"ink/cat/a\.png: .*MemoryError: no room") as caught:
        list(Things(root=str(fill(tmp_path)), skip_unreadable=skip).load().domains[0].images)
    assert not isinstance(caught.value, storage.Unreadable)
