import zipfile

import pytest
from things import NAMES, Things, fill, pack, png, summary

from jaxclr.errors import InputError


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


@pytest.mark.parametrize("leading", ["", "things/"])
def test_classes_and_domains_may_be_called_like_folds(tmp_path, leading):
    names = ["test/full/1.png", "test/train/1.png", "oil/train/1.png"]
    collection = Things(root=str(fill(tmp_path, [leading + name for name in names]))).load()
    assert [domain.name for domain in collection.domains] == ["oil", "test"]
    assert collection.classes == ("full", "train")


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
