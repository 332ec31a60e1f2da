"""What zips are made of by tools, by accident and on purpose."""

import io
import stat
import zipfile

import numpy as np
import pytest
from things import NAMES, Things, fill, pack, pixels, png

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline import storage
from jaxclr.pipeline.listing import list_images


def paths(root) -> list[str]:
    return [member.path for member in list_images(root).members]


def pixels_of(root) -> dict[str, bytes]:
    return {member.path: storage.decode(member.entry).tobytes() for member in list_images(root)[0]}


def patched(path, old: bytes, new: bytes, count: int = -1):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, count))
    return path


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "ink/../../a.jpg", "C:\\ink\\a.png"])
def test_an_entry_that_leads_out_of_its_zip_refuses_the_zip(tmp_path, name):
    with pytest.raises(InputError, match=r"a\.zip: .* leads out of the zip") as caught:
        list_images(pack(tmp_path / "a.zip", [*NAMES, name]))
    assert name.replace("\\", "/") in str(caught.value)


@pytest.mark.parametrize("leading", ["./", "things//", "things/./"])
def test_needless_parts_of_paths_are_dropped(tmp_path, leading):
    expected = pixels_of(fill(tmp_path / "in"))
    assert pixels_of(pack(tmp_path / "plain.zip")) == expected
    assert paths(pack(tmp_path / "a.zip", leading=leading)) == NAMES


def test_separators_of_windows_are_read(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            archive.writestr(name.replace("/", "\\"), png(name))
    assert pixels_of(path) == pixels_of(fill(tmp_path / "in"))


def test_letters_that_macos_packs_unmarked_are_read(tmp_path):
    """It writes UTF-8 and leaves out the flag that says so."""
    path = pack(tmp_path / "a.zip", ["ink/été/é.png"])
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + place + 1] &= ~8
    path.write_bytes(bytes(content))
    assert zipfile.ZipFile(path).namelist() != ["ink/été/é.png"]
    assert paths(path) == ["ink/été/é.png"]


def test_bytes_before_a_zip_do_no_harm(tmp_path):
    path = pack(tmp_path / "a.zip")
    path.write_bytes(b"#!/bin/sh\nexit\n" + path.read_bytes())
    assert pixels_of(path) == pixels_of(fill(tmp_path / "in"))


def test_an_encrypted_entry_is_named(tmp_path):
    path = pack(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"a\.zip/ink/cat/a\.png is encrypted.*Unpack the zip"):
        list_images(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_rare_way_of_packing_is_named(tmp_path, method):
    with pytest.raises(InputError, match=rf"cat/a\.png is packed by the rare method {method}"):
        list_images(pack(tmp_path / "a.zip", method=method))


def test_a_link_in_a_zip_is_refused(tmp_path):
    path, link = pack(tmp_path / "a.zip"), zipfile.ZipInfo("ink/cat/x.jpg")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "../../../etc/passwd")
    with pytest.raises(InputError, match=r"a\.zip/ink/cat/x\.jpg is a link.*Unpack the zip"):
        list_images(path)


def test_a_zip_in_a_zip_or_below_the_root_is_passed_over(tmp_path):
    inner = pack(tmp_path / "inner.zip", ["ink/cat/inner.png"]).read_bytes()
    path = pack(tmp_path / "in" / "a.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ink/cat/b.zip", inner)
        archive.writestr("ink/cat/x.jpg/", b"")
    (tmp_path / "in" / "more").mkdir()
    (tmp_path / "in" / "more" / "c.zip").write_bytes(inner)
    (tmp_path / "in" / ".d.zip").write_bytes(inner)
    assert paths(tmp_path / "in") == paths(path) == NAMES


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_bytes_twice_in_a_zip_are_one_image_and_others_are_reported(tmp_path):
    path = pack(tmp_path / "a.zip", [*NAMES, NAMES[1]])
    assert paths(path) == NAMES
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(NAMES[1], png("another"))
    with pytest.raises(InputError, match=r"cat/b\.png is there twice: in .*a\.zip, with different"):
        list_images(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "begins with b''"),
        (b"<!DOCTYPE html><title>Drive - Quota exceeded", "begins with b'<!DOCTYPE"),
        (b"Rar!\x1a\7\1\0" + bytes(99), "begins with b'Rar!.*Other archives are to be unpacked"),
    ],
)
def test_what_is_no_zip_is_named_with_what_it_begins_with(tmp_path, content, found):
    (tmp_path / "a.zip").write_bytes(content)
    for root in (tmp_path, tmp_path / "a.zip"):
        with pytest.raises(InputError, match=rf"a\.zip: not a zip.*{found}"):
            list_images(root)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_a_zip_whose_directory_is_cut_is_reported(tmp_path, part):
    path = pack(tmp_path / "a.zip")
    content = path.read_bytes()
    start = content.index(b"PK\1\2")
    path.write_bytes(content[: start + int(part * (len(content) - start))])
    with pytest.raises(InputError, match=r"a\.zip: not a zip.*download cut short"):
        list_images(path)


@pytest.mark.parametrize(("place", "byte"), [(6, 99), (9, 8)], ids=["version", "letters"])
def test_a_directory_that_python_gives_up_on_is_reported(tmp_path, place, byte):
    """A version yet to come, and a name that is said to be UTF-8 and is not."""
    path = pack(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\1\2")
    content[start + place], content[start + 46] = byte, 255
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"a\.zip: not a zip.*(version 9\.9|utf-8)"):
        list_images(path)


def test_a_link_to_a_zip_that_is_gone_is_reported(tmp_path):
    (tmp_path / "a.zip").symlink_to("gone.zip")
    with pytest.raises(InputError, match=r"a\.zip: cannot be read \(No such file"):
        list_images(tmp_path)


# Where, what is written there, and what is said of it when stored and when deflated.
DAMAGE = {
    "packed": (lambda data, start: start + 43, b"\xff", "its checksum", "invalid block type"),
    "amid": (lambda data, start: start + 99, b"\0\0", "its checksum", "(damaged here|checksum)"),
    "checksum": (
        lambda data, start: data.index(b"PK\1\2") + 16,
        b"\0",
        *["its checksum is not"] * 2,
    ),
    "local header": (lambda data, start: start + 27, b"\x7f", *["(damaged here|checksum)"] * 2),
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("place", "byte", "stored", "deflated"), DAMAGE.values(), ids=DAMAGE.keys()
)
def test_a_damaged_entry_is_named_or_left_out(tmp_path, place, byte, stored, deflated, method):
    path = pack(tmp_path / "a.zip", method=method)
    content = path.read_bytes()
    start = place(content, content.index(b"PK\3\4"))
    path.write_bytes(content[:start] + byte + content[start + len(byte) :])
    found = deflated if method == zipfile.ZIP_DEFLATED else stored
    with pytest.raises(storage.Unreadable, match=rf"a\.zip/ink/cat/a\.png: .*{found}"):
        list(Things(root=str(path)).load().domains[0].images)
    ink, oil = Things(root=str(path), skip_unreadable=True).load().domains
    assert [*ink.paths, *oil.paths] == NAMES[1:]
    np.testing.assert_array_equal(ink.images[0], pixels(NAMES[1]))


def test_a_megabyte_that_unfolds_to_more_than_allowed_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ink/cat/a.png", bytes(5001))
    (member,) = list_images(path).members
    for limit, found in ((5000, "more than 5,000 bytes"), (5001, "begins with")):
        monkeypatch.setattr(storage, "MAX_BYTES", limit)
        with pytest.raises(storage.Unreadable, match=found):
            storage.decode(member.entry)


def test_a_damaged_list_of_folds_in_a_zip_is_named(tmp_path):
    path = pack(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("splits/ink_train_kfold.txt", "ink/cat/a.png 1\n")
    patched(path, b"ink/cat/a.png 1", b"ink/cat/a.png 2")
    with pytest.raises(JaxclrError, match=r"a\.zip/splits/ink_train_kfold\.txt: .*checksum"):
        Things(root=str(path)).load()


def test_an_image_within_a_zip_is_damaged_as_one_in_a_folder_is(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ink/cat/a.png", b"no image")
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    with pytest.raises(storage.Unreadable, match=r"a\.zip/ink/cat/a\.png: .*begins with b'no ima"):
        Things(root=str(tmp_path)).load().domains[0].images[0]
