import dataclasses
import io
import logging
import multiprocessing
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from things import NAMES, Things, fill, pack, pixels, png

from jaxclr.errors import JaxclrError
from jaxclr.pipeline import storage
from jaxclr.pipeline.source import Images


def read_in_another_process(images: Images, index: int, results) -> None:
    results.put(images[index].tobytes())


def test_every_mode_of_pillow_becomes_rgb(tmp_path):
    gray = np.arange(0, 240, 15, dtype=np.uint8).reshape(4, 4)
    image = Image.fromarray(gray)
    palette = image.quantize(16)
    palette.info["transparency"] = bytes(range(16))
    modes = {
        "gray": image,
        "deep": Image.fromarray(gray.astype(np.uint16) * 257),
        "palette": palette,
        "rgba": Image.merge("RGBA", [image] * 4),
    }
    for name, saved in modes.items():
        (tmp_path / "ink" / name).mkdir(parents=True)
        saved.save(tmp_path / "ink" / name / "1.png")
    (tmp_path / "ink" / "cmyk").mkdir()
    image.convert("CMYK").save(tmp_path / "ink" / "cmyk" / "1.jpg", quality=100)
    (ink,) = Things(root=str(tmp_path)).load().domains
    for path, found in zip(ink.paths, ink.images, strict=True):
        loss = 4 if "cmyk" in path else 0
        np.testing.assert_allclose(found.astype(int), np.stack([gray] * 3, -1), atol=loss)


BROKEN = {"truncated": png("ink/cat/a.png")[:-30], "no image": b"not an image", "empty": b""}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("cached", [False, True])
def test_an_image_that_cannot_be_decoded_stops_with_its_name(tmp_path, content, cached):
    fill(tmp_path / "in")
    (tmp_path / "in/ink/cat/b.png").write_bytes(content)
    with pytest.raises(JaxclrError, match=r"ink/cat/b\.png.*--dataset\.skip-unreadable"):
        card = Things(root=str(tmp_path / "in"), cache=str(tmp_path / "c") if cached else None)
        list(card.load().domains[0].images)
    assert not [path for path in tmp_path.glob("c/**/*") if path.is_file()]


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("cached", [False, True])
def test_images_that_cannot_be_decoded_are_left_out_and_counted(tmp_path, caplog, content, cached):
    fill(tmp_path / "in")
    (tmp_path / "in/ink/cat/b.png").write_bytes(content)
    card = Things(
        root=str(tmp_path / "in"),
        cache=str(tmp_path / "c") if cached else None,
        skip_unreadable=True,
    )
    for _ in range(2):
        caplog.clear()
        ink, oil = card.load().domains
        assert ink.paths == ("ink/cat/a.png", "ink/dog/a.png") and len(oil.paths) == 3
        assert ink.label.tolist() == [0, 1] and len(ink.train) == len(ink.images) == 2
        np.testing.assert_array_equal(ink.images[1], pixels("ink/dog/a.png"))
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "left out 1 images" in record.getMessage()
        assert "ink/cat/b.png" in record.getMessage()
    with pytest.raises(JaxclrError, match="cannot be decoded"):
        list(dataclasses.replace(card, skip_unreadable=False).load().domains[0].images)


def test_a_damaged_entry_of_a_zip_is_unreadable(tmp_path):
    buffer, path = io.BytesIO(), tmp_path / "a.zip"
    # A bitmap: it has no checksum of its own that would tell.
    Image.new("RGB", (9, 9), (77, 77, 77)).save(buffer, "BMP")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ink/cat/a.png", buffer.getvalue())
    content = path.read_bytes()
    place = content.index(bytes([77] * 9))
    path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    with pytest.raises(storage.Unreadable, match=r"a\.zip/ink/cat/a\.png"):
        Things(root=str(path)).load().domains[0].images[0]


def test_an_image_deleted_after_the_listing_is_reported(tmp_path):
    images = Things(root=str(fill(tmp_path))).load().domains[0].images
    (tmp_path / NAMES[0]).unlink()
    with pytest.raises(JaxclrError, match=r"ink/cat/a\.png: cannot be read"):
        images[0]


@pytest.mark.parametrize("kind", ["folder", "zip", "cache"])
def test_images_pickle_small_and_read_the_same_in_a_spawned_process(tmp_path, kind):
    root = pack(tmp_path / "a.zip") if kind == "zip" else fill(tmp_path / "in")
    card = Things(root=str(root), cache=str(tmp_path / "cache") if kind == "cache" else None)
    images = card.load().domains[0].images
    expected = images[2].tobytes()
    assert len(pickle.dumps(images)) < 1000
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    process = spawn.Process(target=read_in_another_process, args=(images, 2, results))
    process.start()
    assert results.get(timeout=60) == expected
    process.join()
    results.close()


@pytest.mark.parametrize("kind", ["folder", "zip", "cache"])
def test_many_threads_read_what_one_reads(tmp_path, kind):
    root = pack(tmp_path / "a.zip") if kind == "zip" else fill(tmp_path / "in")
    card = Things(root=str(root), cache=str(tmp_path / "cache") if kind == "cache" else None)
    images = card.load().domains[1].images
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda index: images[index % 3].tobytes(), range(300))
        assert list(read) == [pixels(name).tobytes() for name in NAMES[3:]] * 100
