"""A data set that changes after it was listed, while a run reads it."""

import numpy as np
import pytest
from things import NAMES, Things, fill, pack, png

from jaxclr.errors import JaxclrError
from jaxclr.pipeline import storage
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.batches import Batches, read_ahead
from jaxclr.pipeline.split import Split

CHANGES = {
    "removed": (lambda path: path.unlink(), r"cannot be read \(No such.*was there when the ima"),
    "grown": (
        lambda path: path.write_bytes(png(NAMES[0]) + b"more"),
        rf"{len(png(NAMES[0])) + 4} bytes, which were {len(png(NAMES[0]))} when .*start again",
    ),
    "cut": (lambda path: path.write_bytes(b""), "0 bytes, which were"),
    "overwritten": (
        lambda path: path.write_bytes(bytes(len(png(NAMES[0])))),
        "begins with .*; it was written after the images were listed",
    ),
    "a folder now": (lambda path: (path.unlink(), path.mkdir()), r"cannot be read \(Is a dir"),
}


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("change", "found"), CHANGES.values(), ids=CHANGES.keys())
def test_a_file_that_changed_since_the_listing_is_named_with_what_became_of_it(
    tmp_path, change, found, skip
):
    root = fill(tmp_path)
    images = Things(root=str(root), skip_unreadable=skip).load().domains[0].images
    change(root / NAMES[0])
    with pytest.raises(JaxclrError, match=rf"^{root}/ink/cat/a\.png: .*{found}"):
        images[0]
    assert len(images[1]) and len(images[2])


def test_a_file_that_was_only_touched_is_read(tmp_path):
    images = Things(root=str(fill(tmp_path))).load().domains[0].images
    before = images[0].copy()
    (tmp_path / NAMES[0]).touch()
    np.testing.assert_array_equal(images[0], before)


def test_a_zip_that_changed_since_the_listing_is_named(tmp_path):
    path = pack(tmp_path / "a.zip")
    images = Things(root=str(path)).load().domains[0].images
    pack(path, NAMES[3:] + NAMES[:3])
    with pytest.raises(storage.Unreadable, match=r"a\.zip/ink/cat/b.*changed after its images"):
        images[1]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(storage.Unreadable, match=r"a\.zip/ink/cat/b\.png: .*(damaged|checksum)"):
        images[1]
    path.unlink()
    with pytest.raises(JaxclrError, match=r"a\.zip/ink/cat/b\.png: cannot be read \(No such file"):
        images[1]


@pytest.mark.parametrize(
    ("threads", "workers"), [(0, 0), (2, 0), pytest.param(1, 1, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("change", ["removed", "grown", "overwritten"])
def test_threads_and_processes_that_read_ahead_say_which_file_changed(
    tmp_path, change, threads, workers
):
    ink = Things(root=str(fill(tmp_path))).load().domains[0]
    split = Split(labeled=(np.array([1]),), unlabeled=(np.array([0, 2]),))
    batches = Batches(
        [ink], split, Augment(size=16), seed=1, steps=6, batch_per_domain=1, unlabeled_ratio=2
    )
    CHANGES[change][0](tmp_path / NAMES[0])
    with pytest.raises(JaxclrError, match=rf"ink/cat/a\.png: .*{CHANGES[change][1]}"):
        list(read_ahead(batches, 0, threads=threads, workers=workers))
