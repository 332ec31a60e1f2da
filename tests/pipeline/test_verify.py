"""What the check of a data set finds, one fault at a time in a small tree."""

import dataclasses
import shutil
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image
from things import NAMES, Things, fill, png

from jaxclr.data.cifar10 import Cifar10
from jaxclr.data.stl10 import Stl10
from jaxclr.errors import InputError
from jaxclr.pipeline.benchmark import Benchmark, Regrouped
from jaxclr.pipeline.contents import contents
from jaxclr.pipeline.source import Collection, Dataset, Domain
from jaxclr.pipeline.verify import published_counts, verify


@dataclasses.dataclass(frozen=True)
class Known(Benchmark):
    """``things.NAMES`` as if they were published."""

    domains = ("ink", "oil")
    classes = ("cat", "dog")
    counts = MappingProxyType({"ink": 3, "oil": 3})
    counts_per_class = MappingProxyType({"ink": (2, 1), "oil": (1, 2)})
    left_out = frozenset({"ink/dog/bad"})


def check(root: Path, card=Known):
    dataset = card(root=str(root))
    return verify(dataset, contents(dataset))


def found(root: Path, card=Known):
    """Problems and notes, by what they say and which images they name."""
    report = check(root, card)
    assert report.clean == all(finding.harmless for finding in report.findings)
    return [(f.what, f.examples, "note" if f.harmless else "problem") for f in report.findings]


def lists(root: Path, domain: str = "ink", **folds: str) -> None:
    for fold, text in folds.items():
        (root / f"{domain}_{fold}_kfold.txt").write_text(text)


def test_nothing_is_found_where_all_is_as_it_should_be(tmp_path):
    report = check(fill(tmp_path))
    assert report.clean and not report.findings
    assert report.counts == (("ink", 3, 0, 3, 0), ("oil", 3, 0, 3, 0))
    assert report.there.origin == str(tmp_path) and report.there.total == 6


def test_every_image_is_counted_once_while_it_is_decoded(tmp_path):
    dataset, told = Known(root=str(fill(tmp_path))), []
    verify(dataset, contents(dataset), lambda: told.append(1))
    assert len(told) == 6


def test_a_missing_image_is_told_by_domain_and_class(tmp_path):
    fill(tmp_path, NAMES[1:])
    assert found(tmp_path) == [
        ("ink: 2 images there, 3 published; 1 missing.", ("ink/cat (1 of 2)",), "problem")
    ]


def test_an_extra_image_is_told_by_domain_and_class(tmp_path):
    fill(tmp_path, [*NAMES, "oil/cat/b.png"])
    assert found(tmp_path) == [
        ("oil: 4 images there, 3 published; 1 too many.", ("oil/cat (2 of 1)",), "problem")
    ]


def test_a_truncated_image_is_told(tmp_path):
    fill(tmp_path)
    (tmp_path / NAMES[1]).write_bytes(png(NAMES[1])[:-30])
    assert found(tmp_path) == [("Cannot be read: 1 image.", (NAMES[1],), "problem")]
    assert check(tmp_path).counts[0] == ("ink", 3, 0, 3, 1)


@pytest.mark.parametrize(
    ("copy", "where", "kind"),
    [
        ("ink/cat/b.png", "in one class of one domain", "note"),
        ("ink/dog/a.png", "in several classes", "problem"),
        ("oil/cat/a.png", "in several domains", "problem"),
        ("oil/dog/a.png", "in several classes", "problem"),
    ],
)
def test_copies_are_told_by_what_they_cross(tmp_path, copy, where, kind):
    fill(tmp_path)
    shutil.copy(tmp_path / "ink/cat/a.png", tmp_path / copy)
    ((what, examples, told),) = found(tmp_path)
    assert what == f"More than once, {where}: 1 image, pixel for pixel."
    assert examples == (f"ink/cat/a.png = {copy}",) and told == kind


def test_the_same_pixels_are_a_copy_whatever_the_file_and_another_shape_is_none(tmp_path):
    fill(tmp_path)
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    Image.fromarray(pixels).save(tmp_path / "ink/cat/a.png")
    Image.fromarray(pixels).save(tmp_path / "ink/cat/b.png", "BMP")
    Image.fromarray(pixels.reshape(4, 3, 3)).save(tmp_path / "ink/dog/a.png")
    ((_, examples, _),) = found(tmp_path)
    assert examples == ("ink/cat/a.png = ink/cat/b.png",)


def test_what_is_known_to_be_bad_is_noted_and_not_counted(tmp_path):
    fill(tmp_path)
    (tmp_path / "ink/dog/bad.jpg").write_bytes(b"broken")
    assert found(tmp_path) == [
        ("Known to be bad, and never used: 1 image.", ("ink/dog/bad.jpg",), "note")
    ]
    assert check(tmp_path).counts[0] == ("ink", 3, 1, 3, 0)


def test_a_folder_that_is_no_class_is_told(tmp_path):
    fill(tmp_path, [*NAMES, "ink/dogs/a.png", "oil/dogs/b.png"])
    assert found(tmp_path) == [
        ("Folders that are no class: 1, with 2 images.", ("dogs",), "problem")
    ]


def test_a_domain_that_is_not_there_is_told(tmp_path):
    fill(tmp_path, NAMES[:3])
    told = found(tmp_path)
    assert ("Domains without an image: 1.", ("oil",), "problem") in told
    assert told[0][0] == "oil: 0 images there, 3 published; 3 missing."


def test_a_link_to_nothing_is_told(tmp_path):
    fill(tmp_path)
    (tmp_path / NAMES[0]).unlink()
    (tmp_path / NAMES[0]).symlink_to(tmp_path / "gone.png")
    told = found(tmp_path)
    assert ("Listed or linked to, and not there: 1 image.", (NAMES[0],), "problem") in told


def test_a_class_that_a_domain_lacks_is_told(tmp_path):
    fill(tmp_path, [name for name in NAMES if name != "ink/dog/a.png"])
    told = found(tmp_path, Things)
    assert [(examples, kind) for _, examples, kind in told] == [(("ink/dog",), "problem")]


def test_images_of_lists_that_are_not_there_are_told_once(tmp_path):
    fill(tmp_path)
    gone = "ink/cat/gone.png 1\nink/dog/bad.png 2\n"
    lists(tmp_path, train=gone + "ink/cat/a.png 1\n", test=gone + "ink/cat/a.jpg 1\n")
    told = found(tmp_path)
    assert told[0] == ("In the lists, and not there: 1 image.", ("ink/cat/gone.png",), "problem")
    assert told[1][0] == "In no list, and not used: 2 images." and told[1][2] == "note"


def test_a_label_off_by_one_is_told_with_its_list(tmp_path):
    fill(tmp_path)
    lists(tmp_path, train="ink/cat/a.png 1\nink/cat/b.png 2\n")
    assert found(tmp_path) == [
        (
            "Lists and folders disagree about the label: 1 image.",
            ("ink_train_kfold.txt: ink/cat/b.png (2 instead of 1)",),
            "problem",
        )
    ]


def test_lists_that_are_off_by_one_throughout_are_told_as_such(tmp_path):
    fill(tmp_path)
    lists(tmp_path, train="ink/cat/a.png 0\nink/dog/a.png 1\n")
    ((what, examples, _),) = found(tmp_path)
    assert what.endswith("the label: 2 images. All are off by -1.")
    assert examples[1] == "ink_train_kfold.txt: ink/dog/a.png (1 instead of 2)"


def test_a_list_of_another_form_is_told(tmp_path):
    fill(tmp_path)
    lists(tmp_path, train="ink/cat/a.png\n")
    ((what, _, kind),) = found(tmp_path)
    assert "ink_train_kfold.txt, line 1" in what and kind == "problem"


def test_without_any_image_there_is_nothing_to_verify(tmp_path):
    with pytest.raises(InputError, match="No images of 'known'"):
        contents(Known(root=str(tmp_path)))


def test_what_a_run_would_stumble_over_is_told_too(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Stubborn(Things):
        def load(self):
            raise InputError("It does not like to.")

    assert ("It does not like to.", (), "problem") in found(fill(tmp_path), Stubborn)


def test_another_total_than_usual_is_only_noted_and_so_are_classes_of_regrouped_domains(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Vague(Regrouped):
        total = 7

    told = found(fill(tmp_path, [name for name in NAMES if name != "ink/dog/a.png"]), Vague)
    assert [kind for _, _, kind in told] == ["note", "note"]
    assert told[0][0] == "5 images there, 7 usually reported."


@dataclasses.dataclass(frozen=True)
class InMemory(Dataset):
    """Four images of two domains, the first two alike; the last has no label."""

    def load(self):
        images = [np.full((2, 2, 3), shade, np.uint8) for shade in (5, 5, 6, 7)]
        parts = (("ink", [0, 1], images[:2]), ("oil", [0, -1], images[2:]))
        domains = (
            Domain(name, (f"{name}/1", f"{name}/2"), np.int32(label), np.ones(2, bool), part)
            for name, label, part in parts
        )
        return Collection(tuple(domains), ("cat", "dog"))


def test_images_that_are_no_files_are_checked_alike():
    dataset = InMemory()
    report = verify(dataset, contents(dataset))
    assert report.counts == (("ink", 2, 0, None, 0), ("oil", 2, 0, None, 0))
    whats = [finding.what for finding in report.findings]
    assert whats[0] == "More than once, in several classes: 1 image, pixel for pixel."
    assert report.findings[1].examples == ("oil/dog",)


def test_of_prepared_data_sets_the_splits_of_a_domain_are_added_up():
    assert published_counts(Cifar10()) == {"train": 50_000, "test": 10_000}
    assert published_counts(Stl10()) == {"train": 105_000, "test": 8_000}
