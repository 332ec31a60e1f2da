"""What may lie in a folder besides whole images, and what it may be called."""

import logging
import os
import sys
import unicodedata

import numpy as np
import pytest
from things import NAMES, Things, fill, pack, pixels, png, summary

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline import storage
from jaxclr.pipeline.listing import list_images
from jaxclr.pipeline.split import draw_split
from jaxclr.pipeline.split_files import read_split, write_split

NFC = "blé/été/à côté.png"
NFD = unicodedata.normalize("NFD", NFC)
ODD = {
    "spaces": "ink  pen/big cat/ a b .png",
    "letters": "墨/кот/ñ🐈.png",
    "upper case": "INK/CAT/A.JPG",
    "newline": "ink/cat/a\nb.png",
    "long": f"ink/cat/{'x' * 240}.png",
    "punctuation": "ink/cat/-%s{0}*'\"\\.png",
    "several dots": "ink/cat.v2/a.png.jpg",
}


def paths(root) -> list[str]:
    return [member.path for member in list_images(root).members]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ODD.values(), ids=ODD.keys())
def test_images_of_any_name_are_found_and_read(tmp_path, name, zipped):
    root = pack(tmp_path / "a.zip", [name]) if zipped else fill(tmp_path, [name])
    (member,) = list_images(root).members
    assert member.path == name
    np.testing.assert_array_equal(storage.decode(member.entry), pixels(name))


def test_a_name_that_breaks_lines_is_escaped_in_messages(tmp_path):
    fill(tmp_path)
    (tmp_path / "ink/cat/a\n\x1b[2Jb.png").write_bytes(b"no image")
    images = Things(root=str(tmp_path)).load().domains[0].images
    with pytest.raises(storage.Unreadable) as caught:
        list(images)
    assert r"ink/cat/a\n\x1b[2Jb.png: cannot" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_name_that_breaks_lines_is_escaped_in_the_warning_of_what_is_left_out(tmp_path, caplog):
    fill(tmp_path)
    (tmp_path / "ink\x07/cat").mkdir(parents=True)
    for name in ("a\n\x1b[2Jb.png", "é.png"):
        (tmp_path / "ink\x07/cat" / name).write_bytes(b"no image" if "\n" in name else png(name))
    Things(root=str(tmp_path), skip_unreadable=True).load()
    (record,) = caplog.records
    assert record.getMessage().isprintable()
    told = r"ink\x07: left out 1 images that cannot be decoded: ink\x07/cat/a\n\x1b[2Jb.png"
    assert record.getMessage() == told


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_name_that_is_no_text_is_read_and_can_be_printed(tmp_path):
    fill(tmp_path)
    name = os.fsdecode(b"ink/cat/\xff.png")
    (tmp_path / name).write_bytes(png("other"))
    *_, last = list_images(tmp_path).members[:3]
    np.testing.assert_array_equal(storage.decode(last.entry), pixels("other"))
    (tmp_path / name).unlink()
    with pytest.raises(JaxclrError) as caught:
        storage.decode(last.entry)
    assert r"\udcff.png" in str(caught.value) and str(caught.value).encode()


def test_letters_encoded_in_two_ways_are_one_name(tmp_path):
    """macOS takes accents apart, others do not: a split of one fits the images of the other."""
    names = [f"{domain}/été/{file}.png" for domain in "àb" for file in "éàx"]
    apart = [unicodedata.normalize("NFD", name) for name in names]
    roots = {
        "nfc": fill(tmp_path / "nfc", names),
        "nfd": fill(tmp_path / "nfd", apart),
        "zip": pack(tmp_path / "a.zip", apart),
    }
    cards = {kind: Things(root=str(root)).load() for kind, root in roots.items()}
    expected = [domain.paths for domain in cards["nfc"].domains]
    assert sorted(path for domain in expected for path in domain) == sorted(names)
    for card in cards.values():
        assert [domain.paths for domain in card.domains] == expected
    for path, image in zip(expected[1], cards["nfd"].domains[1].images, strict=True):
        np.testing.assert_array_equal(image, pixels(apart[names.index(path)]))
    split = draw_split(cards["nfd"].domains, ("été",), labels_per_class=2, seed=1)
    write_split(tmp_path / "split.json", split, cards["nfd"].domains)
    content = (tmp_path / "split.json").read_text()
    (tmp_path / "apart.json").write_text(content.replace("\\u00e9", "e\\u0301"))
    for file in ("split.json", "apart.json"):
        for kind in ("nfc", "zip"):
            found = read_split(tmp_path / file, cards[kind].domains)
            np.testing.assert_equal(found, split)


def test_two_names_of_the_same_letters_are_reported(tmp_path):
    if len({path.name for path in fill(tmp_path, [NFC, NFD]).iterdir()}) == 1:
        pytest.skip("this file system takes them for one")
    with pytest.raises(InputError, match=r"there twice: as .*the same letters, encoded in two"):
        list_images(tmp_path)


def test_an_image_in_two_copies_of_the_data_names_both_places(tmp_path):
    fill(tmp_path, ["one/ink/cat/a.png", "two/ink/cat/a.png"])
    with pytest.raises(InputError, match=r"twice: as .*(one|two)/ink.* and as .*(one|two)/ink"):
        list_images(tmp_path)


def test_a_folder_called_like_an_image_is_a_folder(tmp_path):
    fill(tmp_path)
    (tmp_path / "ink/cat/x.jpg").mkdir()
    assert paths(tmp_path) == NAMES
    fill(tmp_path, ["ink/y.png/a.png"])
    assert paths(tmp_path) == sorted([*NAMES, "ink/y.png/a.png"])


def test_hidden_files_and_what_systems_leave_are_passed_over(tmp_path):
    litter = [".git/x/a.png", "ink/.thumbs/a.png", "ink/cat/._a.png", "ink/cat/@eaDir/a.png/b.jpg"]
    litter += ["__MACOSX/ink/cat/a.png", "$RECYCLE.BIN/cat/a.png"]
    assert paths(fill(tmp_path / "in", NAMES + litter)) == NAMES
    assert paths(pack(tmp_path / "a.zip", NAMES + litter)) == NAMES


def test_links_are_followed_within_the_root_and_past_circles(tmp_path):
    root = fill(tmp_path / "in", NAMES)
    (root / "sea").symlink_to("oil")
    (root / "ink/fox").symlink_to(root / "ink/cat")
    (root / "ink/dog/link.jpg").symlink_to("../cat/b.png")
    (root / "ink/up").symlink_to("..")
    (root / "oil/self").symlink_to(".")
    (tmp_path / "way").symlink_to("in")
    extra = ["ink/dog/link.jpg", "ink/fox/a.png", "ink/fox/b.png"]
    extra += [name.replace("oil", "sea") for name in NAMES if name.startswith("oil")]
    assert paths(tmp_path / "way") == sorted(NAMES + extra)
    entries = {member.path: member.entry for member in list_images(tmp_path / "way").members}
    np.testing.assert_array_equal(storage.decode(entries[extra[0]]), pixels("ink/cat/b.png"))


@pytest.mark.parametrize("target", ["file", "folder", "relative", "nothing"])
def test_a_link_that_leads_out_of_the_root_is_refused_and_not_followed(tmp_path, target):
    root, outside = fill(tmp_path / "in"), fill(tmp_path / "in too")
    link, place = {
        "file": (root / "ink/cat/x.jpg", outside / "ink/cat/a.png"),
        "folder": (root / "sea", outside / "oil"),
        "relative": (root / "ink/cat/x.jpg", "../../../in too/ink/cat/a.png"),
        "nothing": (root / "ink/cat/x.jpg", tmp_path / "gone.jpg"),
    }[target]
    link.symlink_to(place)
    with pytest.raises(
        InputError, match=r"a link that leads out of .*/in, to .*--dataset\.root"
    ) as e:
        list_images(root)
    assert str(e.value).startswith(str(link))
    link.unlink()
    (root / "ink/notes").symlink_to(outside / "ink/cat/a.png")
    assert paths(root) == NAMES


def test_a_zip_that_is_a_link_out_of_the_root_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.zip").symlink_to(pack(tmp_path / "a.zip"))
    with pytest.raises(InputError, match="a link that leads out of"):
        list_images(tmp_path / "in")


@pytest.mark.parametrize("target", ["gone.png", "b.png"], ids=["nothing", "itself"])
def test_a_link_to_nothing_is_missed_by_name_or_left_out_and_counted(tmp_path, caplog, target):
    root = fill(tmp_path / "in")
    (root / NAMES[1]).unlink()
    (root / NAMES[1]).symlink_to(target)
    with pytest.raises(storage.Unreadable, match=rf"ink/cat/b\.png.*a link to {target}, where"):
        list(Things(root=str(root)).load().domains[0].images)
    ink, _ = Things(root=str(root), skip_unreadable=True).load().domains
    assert ink.paths == (NAMES[0], NAMES[2])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and "left out 1 images" in record.getMessage()


def test_a_pipe_called_like_an_image_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(fill(tmp_path) / "ink/cat/x.png")
    with pytest.raises(InputError, match=r"ink/cat/x\.png: neither a file nor a folder"):
        list_images(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("skip", [False, True])
def test_what_may_not_be_read_is_named_with_the_right_it_takes(tmp_path, skip):
    root, archive = fill(tmp_path / "in"), pack(tmp_path / "a.zip")
    (root / NAMES[0]).chmod(0)
    with pytest.raises(JaxclrError, match=r"ink/cat/a\.png: cannot be read \(Permission.*chmod"):
        list(Things(root=str(root), skip_unreadable=skip).load().domains[0].images)
    (root / "ink/cat").chmod(0)
    with pytest.raises(InputError, match=r"ink/cat: the folder cannot be listed \(Permission"):
        list_images(root)
    (root / "ink/cat").chmod(0o700)
    archive.chmod(0)
    with pytest.raises(InputError, match=r"a\.zip: cannot be read \(Permission denied"):
        list_images(archive)


def test_the_listing_is_the_same_through_a_link_to_the_root(tmp_path):
    (tmp_path / "way").symlink_to(fill(tmp_path / "in"))
    straight, round_about = (Things(root=str(tmp_path / name)).load() for name in ("in", "way"))
    assert summary(straight) == summary(round_about)
