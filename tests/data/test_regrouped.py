"""The cards whose domains or classes are told by lists, tables and names, on small trees."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxclr.data.fmow import Fmow
from jaxclr.data.imagenet_r import ImagenetR
from jaxclr.data.mini_domainnet import MiniDomainnet
from jaxclr.data.tfds import Tfds
from jaxclr.errors import InputError
from jaxclr.tfds_builders import BENCHMARKS, prepare

COUNTRIES = "name,alpha-3,region\nFrance,FRA,Europe\nKenya,KEN,Africa\n"
TABLE = """\
split,img_filename,category,country_code,timestamp
train,a.jpg,zoo,FRA,2012-05-01T10:00:00Z
val,b.jpg,zoo,FRA,2016-05-01T10:00:00Z
seq,c.jpg,zoo,FRA,2016-05-01T10:00:00Z
train,d.jpg,barn,KEN,2012-01-31T10:00:00Z
test,e.jpg,zoo,XYZ,2016-12-31T23:59:59Z
train,f.jpg,zoo,KEN,2016-05-01T10:00:00Z
"""
# Lines of the small lists: class, image and label; the order of labels is not that of names.
LISTED = {"train": [("zebra", 1, 0), ("ant", 1, 1)], "test": [("ant", 2, 1)]}


def png(shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (shade,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def fill(root: Path, paths) -> str:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(png())
    return str(root)


def seen(collection):
    """Of every image the class, and whether it is trained on."""
    return {
        path: (collection.classes[label], bool(train))
        for domain in collection.domains
        for path, label, train in zip(domain.paths, domain.label, domain.train, strict=True)
    }


def domainnet(root: Path, change=lambda fold, line: line) -> str:
    """DomainNet in small, and the lists of both benchmarks."""
    fill(root, [f"{domain}/tree/1.png" for domain in MiniDomainnet.domains])
    for folder in ("splits", "splits_mini"):
        (root / folder).mkdir()
    for domain in MiniDomainnet.domains:
        for fold, lines in LISTED.items():
            fill(root, [f"{domain}/{name}/{number}.png" for name, number, _ in lines])
            text = [f"{domain}/{name}/{number}.png {label}" for name, number, label in lines]
            changed = [change(fold, line) for line in text]
            (root / "splits_mini" / f"{domain}_{fold}.txt").write_text("\n".join(changed))
            # DomainNet's own lists are called the same, and number all of its classes.
            (root / "splits" / f"{domain}_{fold}.txt").write_text(f"{domain}/tree/1.png 300\n")
    return str(root)


def test_mini_domainnet_is_what_its_lists_say(tmp_path):
    collection = MiniDomainnet(root=domainnet(tmp_path)).load()
    assert collection.classes == ("zebra", "ant")
    assert [domain.name for domain in collection.domains] == list(MiniDomainnet.domains)
    of_clipart = {path: told for path, told in seen(collection).items() if "clipart" in path}
    assert of_clipart == {
        "clipart/ant/1.png": ("ant", True),
        "clipart/ant/2.png": ("ant", False),
        "clipart/zebra/1.png": ("zebra", True),
    }


def test_a_wrong_label_in_its_lists_is_named(tmp_path):
    def off_by_one(fold, line):
        return "sketch/ant/2.png 0" if line == "sketch/ant/2.png 1" else line

    with pytest.raises(InputError, match=r"labels other than.*sketch/ant/2\.png"):
        MiniDomainnet(root=domainnet(tmp_path, off_by_one)).load()


def test_lists_that_give_two_classes_one_label_are_refused(tmp_path):
    root = domainnet(tmp_path, lambda fold, line: line[:-1] + "0")
    with pytest.raises(InputError, match="number 2 classes by 1 labels"):
        MiniDomainnet(root=root).load()


def test_without_its_lists_it_says_where_they_are_from(tmp_path):
    root = fill(tmp_path, [f"{domain}/ant/1.png" for domain in MiniDomainnet.domains])
    with pytest.raises(InputError, match=r"no lists splits_mini.*splits_mini\.zip"):
        MiniDomainnet(root=root).load()


RENDITIONS = [
    "n01443537/art_0.jpg",
    "n01443537/sketch_12.jpg",
    "n01484850/art_1.jpg",
    "n01484850/art_2.jpg",
]


@pytest.mark.parametrize("above", ["", "imagenet-r/"])
@pytest.mark.parametrize("zipped", [False, True])
def test_renditions_are_the_domains_of_imagenet_r(tmp_path, above, zipped):
    paths = [above + path for path in [*RENDITIONS, "README.txt", "n01484850/odd.jpg"]]
    root = fill(tmp_path / "in", paths)
    if zipped:
        with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
            for path in paths:
                archive.write(tmp_path / "in" / path, path)
        root = str(tmp_path / "r.zip")
    collection = ImagenetR(root=root).load()
    assert len(collection.classes) == 200
    assert seen(collection) == {
        "art/n01443537/art_0.jpg": ("n01443537", True),
        "art/n01484850/art_1.jpg": ("n01484850", True),
        "art/n01484850/art_2.jpg": ("n01484850", True),
        "sketch/n01443537/sketch_12.jpg": ("n01443537", True),
    }


def test_classes_that_some_rendition_hardly_shows_are_left_out_if_asked(tmp_path):
    collection = ImagenetR(root=fill(tmp_path, RENDITIONS), at_least=1).load()
    assert collection.classes == ("n01443537",) and len(seen(collection)) == 2
    collection = ImagenetR(root=str(tmp_path), at_least=2, only=("art",)).load()
    assert collection.classes == ("n01484850",) and len(collection.domains) == 1
    with pytest.raises(InputError, match=r"no class has 2 images.*art, sketch.*--dataset\.only"):
        ImagenetR(root=str(tmp_path), at_least=2).load()


def test_a_rendition_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    with pytest.raises(InputError, match=r"no domain 'sketches'\. Did you mean 'sketch'"):
        ImagenetR(root=fill(tmp_path, RENDITIONS), only=("sketches",)).load()


def fmow(root: Path, table: str = TABLE, lacking: int = -1) -> str:
    numbers = [n for n in range(table.count("\n") - 1) if n != lacking]
    fill(root, [f"images/rgb_img_{number}.png" for number in numbers])
    (root / "rgb_metadata.csv").write_text(table)
    (root / "country_code_mapping.csv").write_text(COUNTRIES)
    return str(root)


def test_regions_are_the_domains_of_fmow_and_what_was_kept_back_is_left_out(tmp_path):
    collection = Fmow(root=fmow(tmp_path)).load()
    assert len(collection.classes) == 62
    assert seen(collection) == {
        "Africa/train/barn/rgb_img_3.png": ("barn", True),
        "Africa/train/zoo/rgb_img_5.png": ("zoo", True),
        "Europe/train/zoo/rgb_img_0.png": ("zoo", True),
        "Europe/val/zoo/rgb_img_1.png": ("zoo", False),
        "Other/test/zoo/rgb_img_4.png": ("zoo", False),
    }


def test_or_years_are(tmp_path):
    fmow(tmp_path / "fmow_v1.1")
    collection = Fmow(root=str(tmp_path), domains_by="year", at_least=1).load()
    assert [domain.name for domain in collection.domains] == ["2012", "2016"]
    assert collection.classes == ("zoo",) and len(seen(collection)) == 4


def test_an_image_that_the_table_of_fmow_lists_is_missed_by_name(tmp_path):
    root = fmow(tmp_path, lacking=4)
    with pytest.raises(InputError, match=r"1 images that rgb_metadata\.csv.*rgb_img_4\.png"):
        Fmow(root=root).load()
    # What was kept back may be missing.
    assert Fmow(root=fmow(tmp_path / "other", lacking=2)).load()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.replace("category", "class"), "no column 'category'"),
        (TABLE + "train,g.jpg,zoo\n", "line 8: cells are missing"),
        (TABLE.replace("zoo,KEN", "zoos,KEN"), "no class 'zoos'.*Did you mean 'zoo'"),
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path, table, message):
    with pytest.raises(InputError, match=message):
        Fmow(root=fmow(tmp_path, table)).load()


def test_without_its_second_table_it_says_so(tmp_path):
    root = fmow(tmp_path)
    (tmp_path / "country_code_mapping.csv").unlink()
    with pytest.raises(InputError, match=r"country_code_mapping\.csv: cannot be read"):
        Fmow(root=root).load()


def test_nowhere_it_says_what_is_expected(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"rgb_metadata\.csv.*wilds\.stanford\.edu"):
        Fmow(root=str(tmp_path)).load()


@pytest.mark.parametrize("make, kind", [(domainnet, MiniDomainnet), (fmow, Fmow)])
def test_tensorflow_datasets_that_lacks_them_reads_them_back_once_prepared(tmp_path, make, kind):
    assert BENCHMARKS[kind().name] is kind
    card = kind(root=make(tmp_path / "images"))
    prepared = prepare(card, str(tmp_path / "tfds"))
    found, there = Tfds(builder=card.name, root=prepared).load(), card.load()
    assert found.classes == there.classes
    for one, other in zip(found.domains, there.domains, strict=True):
        assert (one.name, one.paths) == (other.name, other.paths)
        assert (one.label.tolist(), one.train.tolist()) == (
            other.label.tolist(), other.train.tolist(),
        )  # fmt: skip
        for i in range(len(one.paths)):
            np.testing.assert_array_equal(one.images[i], other.images[i])
