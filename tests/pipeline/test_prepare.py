"""Preparing a data set once, so that no image is decoded again."""

import dataclasses
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from pictures import picture
from PIL import Image
from things import NAMES, Things, fill, pack, pixels, summary

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline import cache, storage
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.prepare import check_space, measure, plan, prepare


def make(card, out: Path, size=None, **settings):
    steps = plan(card, out, size)
    prepare(steps, **settings)
    return steps


def read(card, out: Path):
    return dataclasses.replace(card, cache=str(out)).load()


def large(root: Path, shapes=((40, 60), (60, 40), (20, 90), (9, 9))) -> Things:
    """Pictures of several shapes, one of them smaller than what is asked for below."""
    for number, (height, width) in enumerate(shapes):
        folder = root / "ink" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(height, width, number)).save(folder / f"{number}.png")
    return Things(root=str(root))


@pytest.mark.parametrize("zipped", [False, True])
def test_what_was_prepared_is_what_was_there_and_is_not_decoded_again(
    tmp_path, monkeypatch, zipped
):
    root = pack(tmp_path / "in.zip") if zipped else fill(tmp_path / "in")
    card = Things(root=str(root))
    make(card, tmp_path / "out")
    expected = summary(card.load())
    monkeypatch.setattr(storage, "decode", None)
    assert summary(read(card, tmp_path / "out")) == expected
    assert plan(card, tmp_path / "out", None).left == 0


def test_the_shorter_side_is_scaled_and_smaller_images_stay_as_they_are(tmp_path):
    card = large(tmp_path / "in")
    make(card, tmp_path / "out", 16)
    (ink,) = read(card, tmp_path / "out").domains
    (plain,) = card.load().domains
    sizes = {(40, 60): (24, 16), (60, 40): (16, 24), (20, 90): (72, 16), (9, 9): (9, 9)}
    for found, original in zip(ink.images, plain.images, strict=True):
        width, height = sizes[original.shape[:2]]
        witness = Image.fromarray(original)
        if (width, height) != witness.size:
            witness = witness.resize((width, height), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(found, witness)


def test_tested_views_are_the_same_and_so_are_all_views_of_squares(tmp_path):
    card = large(tmp_path / "in", ((40, 60), (57, 33), (50, 50), (31, 31)))
    make(card, tmp_path / "out", 16)
    augment = Augment(size=16, cutout=4)
    (ink,), (plain,) = read(card, tmp_path / "out").domains, card.load().domains
    for found, original in zip(ink.images, plain.images, strict=True):
        np.testing.assert_array_equal(augment.evaluation(found), augment.evaluation(original))
        if original.shape[0] == original.shape[1]:
            for view in (augment.weak, augment.strong):
                both = (view(image, np.random.default_rng(1)) for image in (found, original))
                np.testing.assert_array_equal(*both)


def test_that_images_were_scaled_is_told_whenever_they_are_read(tmp_path, caplog):
    card = large(tmp_path / "in")
    make(card, tmp_path / "out", 16)
    read(card, tmp_path / "out")
    (record,) = caplog.records
    assert "ink: images are read from" in record.getMessage()
    assert "shorter side of 16 px" in record.getMessage()
    caplog.clear()
    make(card, tmp_path / "plain")
    read(card, tmp_path / "plain")
    assert not caplog.records


def test_interrupted_it_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """Two images to a flat file: of the three images of each domain, one is in a second file."""
    monkeypatch.setattr(cache, "SHARD", 2)
    card, told = Things(root=str(fill(tmp_path / "in"))), []

    def stop_at_the_fourth():
        told.append(1)
        if len(told) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(card, tmp_path / "out", told=stop_at_the_fourth)
    steps = plan(card, tmp_path / "out", None)
    # Three were in whole files; the fourth began a file that holds two.
    assert (steps.total, steps.left) == (6, 3)
    again = []
    prepare(steps, told=lambda: again.append(1))
    assert len(again) == 3
    assert summary(read(card, tmp_path / "out")) == summary(card.load())
    assert not list(tmp_path.glob("out/**/*.tmp"))


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from things import Things
from jaxclr.pipeline import cache
from jaxclr.pipeline.prepare import plan, prepare
cache.SHARD, told = 2, []
def kill():
    told.append(1)
    if len(told) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
prepare(plan(Things(root={root!r}), Path({out!r}), None), told=kill)
"""


def test_killed_it_goes_on_where_it_stopped(tmp_path, monkeypatch):
    card = Things(root=str(fill(tmp_path / "in")))
    code = KILLED.format(
        tests=str(Path(__file__).parent), root=card.root, out=str(tmp_path / "out")
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    monkeypatch.setattr(cache, "SHARD", 2)
    assert plan(card, tmp_path / "out", None).left == 3
    make(card, tmp_path / "out")
    assert summary(read(card, tmp_path / "out")) == summary(card.load())


def test_images_are_found_over_flat_files_that_lack_some(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SHARD", 2)
    names = [f"ink/cat/{number}.png" for number in range(7)]
    card = Things(root=str(fill(tmp_path / "in", names)), skip_unreadable=True)
    for number in (0, 4, 5):
        (tmp_path / "in" / names[number]).write_bytes(b"broken")
    make(card, tmp_path / "out", skip_unreadable=True)
    (ink,) = read(card, tmp_path / "out").domains
    assert ink.paths == tuple(names[number] for number in (1, 2, 3, 6))
    for index, path in enumerate(ink.paths):
        np.testing.assert_array_equal(ink.images[index], pixels(path))
    np.testing.assert_array_equal(ink.images[-1], pixels(names[6]))
    with pytest.raises(IndexError):
        ink.images[4]


def test_a_changed_image_costs_its_own_flat_file_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SHARD", 2)
    card = Things(root=str(fill(tmp_path / "in")))
    make(card, tmp_path / "out")
    shutil.copy(tmp_path / "in" / NAMES[0], tmp_path / "in" / NAMES[5])
    assert plan(card, tmp_path / "out", None).left == 1


def test_a_flat_file_with_a_wrong_checksum_is_found_and_written_anew(tmp_path):
    card = Things(root=str(fill(tmp_path / "in")))
    make(card, tmp_path / "out")
    path = next(tmp_path.glob("out/things/ink-*.uint8"))
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.write_bytes(content)
    steps = plan(card, tmp_path / "out", None)
    assert [shard.path for shard in steps.damaged] == [path] and steps.left == 3
    prepare(steps)
    np.testing.assert_array_equal(
        read(card, tmp_path / "out").domains[0].images[0], pixels(NAMES[0])
    )


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("zipped", [False, True])
def test_the_bytes_that_are_needed_are_known_beforehand(tmp_path, size, zipped):
    card = large(tmp_path / "in")
    if zipped:
        shutil.make_archive(str(tmp_path / "in"), "zip", tmp_path / "in")
        card = Things(root=str(tmp_path / "in.zip"))
    steps = plan(card, tmp_path / "out", size)
    needed = sum(measure(steps))
    prepare(steps)
    assert plan(card, tmp_path / "out", size).held == needed > 0


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    card = Things(root=str(fill(tmp_path / "in")))
    steps = plan(card, tmp_path / "out", None)
    needed = sum(measure(steps))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(needed, 1, needed - 1))
    with pytest.raises(InputError, match=rf"{needed} B are needed, {needed - 1} B are free.*--out"):
        check_space(steps, needed, lambda count: f"{count} B")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(needed, 0, needed))
    assert check_space(steps, needed, str) == needed


def test_images_of_two_sizes_are_not_mixed_in_one_folder(tmp_path):
    card = large(tmp_path / "in")
    make(card, tmp_path / "out", 16)
    with pytest.raises(InputError, match=r"shorter side of 16 px.*as they are\. Give --size 16"):
        plan(card, tmp_path / "out", None)
    with pytest.raises(InputError, match=r"prepared with a shorter side of 20 px"):
        plan(card, tmp_path / "out", 20)
    make(card, tmp_path / "plain")
    with pytest.raises(InputError, match="Leave --size out"):
        plan(card, tmp_path / "plain", 16)
    with pytest.raises(InputError, match="--size is 0"):
        plan(card, tmp_path / "new", 0)


def test_a_damaged_note_about_the_size_is_told(tmp_path):
    card = large(tmp_path / "in")
    make(card, tmp_path / "out", 16)
    (tmp_path / "out/things/size.json").write_text("{")
    with pytest.raises(JaxclrError, match=r"size\.json: cannot be read.*Delete the folder"):
        read(card, tmp_path / "out")


def test_an_unreadable_image_stops_it_or_is_left_out(tmp_path):
    card = Things(root=str(fill(tmp_path / "in")))
    (tmp_path / "in" / NAMES[1]).write_bytes(b"broken")
    with pytest.raises(storage.Unreadable, match=r"ink/cat/b\.png"):
        make(card, tmp_path / "out")
    assert sum(measure(plan(card, tmp_path / "out", None))) > 0
    patient = dataclasses.replace(card, skip_unreadable=True)
    make(patient, tmp_path / "out", skip_unreadable=True)
    assert plan(patient, tmp_path / "out", None).left == 0
    assert read(patient, tmp_path / "out").domains[0].paths == (NAMES[0], NAMES[2])


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    card = Things(root=str(fill(tmp_path / "in")))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JaxclrError, match="cannot be written"):
        make(card, tmp_path / "file" / "out", 16)
