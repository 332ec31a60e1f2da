"""Which images are predicted of the files, folders and zips that are named."""

import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from jaxclr.errors import InputError
from jaxclr.predict.listing import list_images, path_of, suffixes


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def listed(*places):
    return [path_of(entry) for entry in list_images(places)]


def test_the_order_is_that_of_the_places_and_of_the_names_in_them(tmp_path):
    names = ["b/2.jpg", "b/10.jpg", "a.png", "c.JPEG"]
    touch(*(tmp_path / "all" / name for name in names), tmp_path / "first.webp")
    expected = [tmp_path / "first.webp", *(tmp_path / "all" / name for name in sorted(names))]
    assert listed(tmp_path / "first.webp", tmp_path / "all") == [*map(str, expected)]


def test_folders_are_looked_into_however_deep_and_links_are_followed(tmp_path):
    deep = Path(*"abcdefghijklmnop") / "1.png"
    touch(tmp_path / "in" / deep, tmp_path / "out" / "2.png")
    os.symlink(tmp_path / "out", tmp_path / "in" / "link")
    os.symlink(tmp_path / "in", tmp_path / "in" / "again")
    assert listed(tmp_path / "in") == [
        str(tmp_path / "in" / deep), str(tmp_path / "in" / "link" / "2.png")
    ]  # fmt: skip


def test_hidden_files_and_those_of_other_kinds_are_passed_over(tmp_path):
    touch(*(tmp_path / name for name in (".a.png", "__MACOSX/b.png", "c.txt", "d.png", "e.tif")))
    assert listed(tmp_path) == [str(tmp_path / "d.png")]


def test_paths_in_a_zip_begin_with_its_own(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in ("b/2.gif", "a/1.bmp", "a/notes.txt"):
            archive.writestr(name, b"x")
    assert listed(tmp_path / "z.zip") == [
        str(tmp_path / "z.zip" / name) for name in ("a/1.bmp", "b/2.gif")
    ]


def test_an_image_that_is_named_twice_is_listed_once(tmp_path):
    touch(tmp_path / "a.png", tmp_path / "b.png")
    first = [tmp_path / "b.png", tmp_path]
    assert listed(*first) == [str(tmp_path / name) for name in ("b.png", "a.png")]


def test_what_is_no_place_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    touch(tmp_path / "broken.zip")
    for name in ("pipe", "nowhere", "broken.zip"):
        with pytest.raises(InputError, match=name):
            list_images([tmp_path / name])


def test_every_suffix_is_of_a_format_that_is_read(tmp_path):
    assert {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp"} <= {*suffixes()}
    assert {".eps", ".tif", ".pdf"}.isdisjoint(suffixes())
    Image.new("RGB", (2, 2)).save(tmp_path / "a.jfif")
    assert listed(tmp_path) == [str(tmp_path / "a.jfif")]
