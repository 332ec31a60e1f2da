import dataclasses
import io
import logging
import multiprocessing
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline import cache, storage
from jaxclr.pipeline.source import Collection, ImageFolders, Images

NAMES = [
    "ink/cat/a.png",
    "ink/cat/b.png",
    "ink/dog/a.png",
    "oil/cat/a.png",
    "oil/dog/a.png",
    "oil/dog/z.PNG",
]


@dataclasses.dataclass(frozen=True)
class Things(ImageFolders):
    how_to_get = "Ask the keeper of things."


def pixels(name: str) -> np.ndarray:
    """Other pixels, and another size, for every name."""
    rng = np.random.default_rng(list(name.encode()))
    return rng.integers(0, 256, (*rng.integers(4, 12, 2), 3), np.uint8)


def png(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels(name)).save(buffer, "PNG")
    return buffer.getvalue()


def fill(root: Path, names=NAMES) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(name))
    return root


def pack(path: Path, names=NAMES, leading="", method=zipfile.ZIP_STORED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(leading + name, png(name))
    return path


def summary(collection: Collection):
    return collection.classes, [
        (d.name, d.paths, d.label.tolist(), d.train.tolist(), [i.tobytes() for i in d.images])
        for d in collection.domains
    ]


def read_in_another_process(images: Images, index: int, results) -> None:
    results.put(images[index].tobytes())


def test_domains_classes_paths_and_pixels_are_those_of_the_folders(tmp_path):
    ink, oil = Things(root=str(fill(tmp_path))).load().domains
    assert (ink.name, oil.name) == ("ink", "oil")
    assert ink.paths == tuple(NAMES[:3]) and oil.paths == tuple(NAMES[3:])
    assert ink.label.tolist() == [0, 0, 1] and oil.label.tolist() == [0, 1, 1]
    assert ink.label.dtype == np.int32 and ink.train.all() and oil.train.all()
    for domain in (ink, oil):
        assert len(domain.images) == len(domain.paths) and isinstance(domain.images, Images)
        for path, image in zip(domain.paths, domain.images, strict=True):
            np.testing.assert_array_equal(image, pixels(path))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("leading", ["", "things/"])
def test_a_zip_reads_like_the_folder_it_was_made_from(tmp_path, leading, method):
    folder = fill(tmp_path / "folder")
    whole = pack(tmp_path / "zip" / "things.zip", leading=leading, method=method)
    expected = summary(Things(root=str(folder)).load())
    assert summary(Things(root=str(whole)).load()) == expected
    assert summary(Things(root=str(whole.parent)).load()) == expected


def test_one_zip_per_domain_reads_like_the_folder(tmp_path):
    pack(tmp_path / "zips" / "1.zip", NAMES[3:])
    pack(tmp_path / "zips" / "2.ZIP", NAMES[:3], leading="any/")
    expected = summary(Things(root=str(fill(tmp_path / "folder"))).load())
    assert summary(Things(root=str(tmp_path / "zips")).load()) == expected


def test_the_order_of_creation_is_irrelevant(tmp_path):
    there = fill(tmp_path / "there", NAMES)
    back = fill(tmp_path / "back", NAMES[::-1])
    packed = pack(tmp_path / "back.zip", NAMES[::-1])
    expected = summary(Things(root=str(there)).load())
    assert summary(Things(root=str(back)).load()) == expected
    assert summary(Things(root=str(packed)).load()) == expected


def test_what_systems_leave_behind_is_ignored(tmp_path):
    expected = summary(Things(root=str(fill(tmp_path / "clean"))).load())
    litter = ["ink/cat/._a.png", ".Trash/cat/a.png", "__MACOSX/ink/cat/a.png"]
    fill(tmp_path / "folder", NAMES + litter)
    (tmp_path / "folder" / "ink" / "cat" / "Thumbs.db").write_bytes(b"no image")
    assert summary(Things(root=str(tmp_path / "folder")).load()) == expected
    assert summary(Things(root=str(pack(tmp_path / "a.zip", NAMES + litter))).load()) == expected


def test_only_the_folder_called_train_is_trained_on(tmp_path):
    names = [
        "ink/train/cat/1.png",
        "ink/val/cat/1.png",
        "ink/test/cat/2.png",
        "oil/train/cat/1.png",
    ]
    ink, oil = Things(root=str(fill(tmp_path, names))).load().domains
    assert ink.paths == ("ink/test/cat/2.png", "ink/train/cat/1.png", "ink/val/cat/1.png")
    assert ink.train.tolist() == [False, True, False] and oil.train.tolist() == [True]


def test_a_full_fold_adds_only_what_the_other_folds_lack(tmp_path):
    fill(tmp_path, ["ink/train/cat/1.png", "ink/full/cat/2.png", "oil/cat/1.png"])
    (tmp_path / "ink/full/cat/1.png").write_bytes(png("ink/train/cat/1.png"))
    ink, _ = Things(root=str(tmp_path)).load().domains
    assert ink.paths == ("ink/full/cat/2.png", "ink/train/cat/1.png")


def test_classes_and_domains_may_be_called_like_folds(tmp_path):
    names = ["test/full/1.png", "test/train/1.png", "oil/train/1.png"]
    collection = Things(root=str(fill(tmp_path, names))).load()
    assert [domain.name for domain in collection.domains] == ["oil", "test"]
    assert collection.classes == ("full", "train")


@pytest.mark.parametrize("zipped", [False, True])
def test_lists_say_what_is_trained_on_whatever_the_extension(tmp_path, zipped):
    names = [
        "ink/cat/a.png",
        "ink/cat/b.png",
        "ink/cat/unlisted.png",
        "ink/dog/a.png",
        "oil/cat/a.png",
    ]
    pack(tmp_path / "ink.zip", names) if zipped else fill(tmp_path / "images", names)
    lists = {
        "train": "ink/cat/a.jpg 1\nink/dog/a.png 2\n",
        "crossval": "ink/cat/b.png 1\n\n",
        "test": "ink/cat/a.jpg 1\nink/cat/b.png 1\nink/dog/a.png 2\n",
    }
    (tmp_path / "splits").mkdir()
    for fold, lines in lists.items():
        (tmp_path / "splits" / f"ink_{fold}_kfold.txt").write_text(lines)
    roots = [tmp_path, tmp_path / "ink.zip" if zipped else tmp_path / "images"]
    for root in roots:
        ink, oil = Things(root=str(root)).load().domains
        assert ink.paths == ("ink/cat/a.png", "ink/cat/b.png", "ink/dog/a.png")
        assert ink.train.tolist() == [True, False, True] and oil.train.tolist() == [True]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("ink/cat/a.png 1\nink/cat/gone.png 1\n", "1 listed images are not there.*ink/cat/gone"),
        ("ink/cat/a.png 0\n", "labels other than their folders.*ink/cat/a.png"),
        ("ink/cat/a.png\n", "ink_train_kfold.txt, line 1"),
    ],
)
def test_lists_that_do_not_fit_are_reported(tmp_path, lines, message):
    fill(tmp_path)
    (tmp_path / "ink_train_kfold.txt").write_text(lines)
    with pytest.raises(InputError, match=message):
        Things(root=str(tmp_path)).load()


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
    path = pack(tmp_path / "a.zip")
    content = path.read_bytes()
    place = content.index(b"IDAT") + 20
    path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    with pytest.raises(storage.Unreadable, match=r"a\.zip/ink/cat/a\.png"):
        Things(root=str(path)).load().domains[0].images[0]


def test_an_image_deleted_after_the_listing_is_reported(tmp_path):
    images = Things(root=str(fill(tmp_path))).load().domains[0].images
    (tmp_path / NAMES[0]).unlink()
    with pytest.raises(JaxclrError, match=r"ink/cat/a\.png: cannot be read"):
        images[0]


def test_the_cache_holds_the_same_bytes_and_is_mapped(tmp_path):
    root = str(fill(tmp_path / "in"))
    plain, twice = Things(root=root), Things(root=root, cache=str(tmp_path / "cache"))
    assert summary(twice.load()) == summary(plain.load())
    images = twice.load().domains[1].images
    assert isinstance(images[0], np.memmap) and not images[0].flags.writeable


def test_a_second_start_decodes_nothing(tmp_path, monkeypatch):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    expected = summary(card.load())
    monkeypatch.setattr(storage, "decode", None)
    assert summary(card.load()) == expected


def test_a_changed_image_is_decoded_anew(tmp_path):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    card.load()
    (tmp_path / "in" / NAMES[0]).write_bytes(png("something else"))
    np.testing.assert_array_equal(card.load().domains[0].images[0], pixels("something else"))


@pytest.mark.parametrize("last", range(5))
def test_a_cache_whose_writing_was_interrupted_is_not_trusted(tmp_path, monkeypatch, last):
    """Stops at the ``last`` write, as if killed: nothing is cleaned up, nothing renamed."""
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    expected, decoded = summary(Things(root=card.root).load()), []

    def die_at_last(entry):
        if len(decoded) == last:
            raise KeyboardInterrupt
        decoded.append(entry)
        return storage.decode(entry)

    class OneThread:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def map(self, _, entries):
            return map(die_at_last, entries)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, "ThreadPoolExecutor", OneThread)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        card.load()
    assert list(tmp_path.glob("cache/**/*.tmp"))
    assert summary(card.load()) == expected


@pytest.mark.parametrize("kind", ["*.uint8", "*.npz"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_a_damaged_cache_is_made_again(tmp_path, kind, damage):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    expected = summary(card.load())
    for path in (tmp_path / "cache").rglob(kind):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
        if damage == "gone":
            path.unlink()
    assert summary(card.load()) == expected


def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "file" / "cache"))
    with pytest.raises(JaxclrError, match=r"cannot be written.*--dataset\.cache") as caught:
        card.load()
    assert caught.value.exit_code == 1


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(JaxclrError, match="No space left on device"):
        card.load()
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_writers_at_once_do_no_harm(tmp_path):
    card = Things(root=str(fill(tmp_path / "in")), cache=str(tmp_path / "cache"))
    expected = summary(Things(root=card.root).load())
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: summary(card.load()), range(8))) == [expected] * 8


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


def test_a_missing_root_names_every_place_and_what_was_expected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path / "shared"))
    (tmp_path / "datasets/things/ink").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        Things().load()
    message = str(caught.value)
    assert f"{tmp_path / 'shared' / 'things'} (not there)" in message
    assert f"{Path('datasets/things')} (no such images in it)" in message
    for part in ("<domain>/<class>", "Ask the keeper", "--dataset.root", "$JAXCLR_DATA"):
        assert part in message
    assert caught.value.exit_code == 2


def test_the_root_given_goes_before_the_shared_folder_and_that_before_the_local(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXCLR_DATA", raising=False)
    fill(tmp_path / "datasets/things", ["local/cat/1.png"])
    assert Things().load().domains[0].name == "local"
    fill(tmp_path / "shared/things", ["shared/cat/1.png"])
    monkeypatch.setenv("JAXCLR_DATA", str(tmp_path / "shared"))
    assert Things().load().domains[0].name == "shared"
    fill(tmp_path / "mine", ["mine/cat/1.png"])
    assert Things(root=str(tmp_path / "mine")).load().domains[0].name == "mine"
    with pytest.raises(InputError, match="nowhere"):
        Things(root=str(tmp_path / "nowhere")).load()


def test_a_zip_cut_short_is_reported(tmp_path):
    path = pack(tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"a\.zip: not a zip.*cut short"):
        Things(root=str(path)).load()


def test_images_at_several_depths_are_reported(tmp_path):
    fill(tmp_path, ["ink/cat/1.png", "more/oil/cat/1.png"])
    with pytest.raises(InputError, match="several depths"):
        Things(root=str(tmp_path)).load()


def test_an_image_in_two_zips_is_reported(tmp_path):
    pack(tmp_path / "a.zip")
    pack(tmp_path / "b.zip", NAMES[:1])
    with pytest.raises(InputError, match=r"ink/cat/a\.png is there twice"):
        Things(root=str(tmp_path)).load()


def test_the_name_of_a_card_is_its_class_in_snake_case():
    assert Things().name == "things"
    assert dataclasses.make_dataclass("OfficeHome", [], bases=(Things,), frozen=True)().name == (
        "office_home"
    )


def test_an_index_is_whole_or_none(tmp_path):
    assert cache.read_index(str(tmp_path / "nothing.uint8")) is None
