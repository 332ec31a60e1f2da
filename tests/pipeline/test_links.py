"""Links that lead out of the root, where they are to be followed."""

import numpy as np
import pytest
from things import NAMES, Things, fill, pack, pixels, summary

from jaxclr.data.imagenet_r import ImagenetR
from jaxclr.data.office_home import OfficeHome
from jaxclr.errors import InputError
from jaxclr.pipeline.listing import list_images
from jaxclr.pipeline.storage import decode


def paths(root):
    return [member.path for member in list_images(root, follow_links=True).members]


@pytest.mark.parametrize("of", ["files", "folders"])
def test_a_farm_of_links_reads_like_what_they_lead_to(tmp_path, of):
    store, farm = fill(tmp_path / "store"), tmp_path / "farm"
    farm.mkdir()
    for name in NAMES if of == "files" else ["ink", "oil"]:
        (farm / name).parent.mkdir(parents=True, exist_ok=True)
        (farm / name).symlink_to(store / name)
    with pytest.raises(InputError, match=r"leads out of .*farm.*--dataset\.follow-links"):
        Things(root=str(farm)).load()
    found = Things(root=str(farm), follow_links=True).load()
    assert summary(found) == summary(Things(root=str(store)).load())


def test_circles_and_links_to_nothing_out_there_are_none_the_worse(tmp_path):
    root, store = fill(tmp_path / "in"), fill(tmp_path / "store", ["sea/cat/a.png"])
    (root / "sea").symlink_to(store / "sea")
    (store / "sea/cat/self").symlink_to(".")
    (store / "sea/back").symlink_to(root)
    (store / "sea/all").symlink_to(store)
    assert paths(root) == [*NAMES, "sea/cat/a.png"]
    (store / "sea/cat/b.png").symlink_to(tmp_path / "gone.png")
    (*_, gone) = list_images(root, follow_links=True).members
    assert gone.path == "sea/cat/b.png" and gone.entry.size == 0


def test_zips_that_are_links_are_read(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.zip").symlink_to(pack(tmp_path / "a.zip"))
    assert paths(tmp_path / "in") == NAMES


def test_what_is_linked_is_decoded_from_where_it_is(tmp_path):
    root, store = fill(tmp_path / "in"), fill(tmp_path / "store", ["any.png"])
    (root / "ink/cat/x.png").symlink_to(store / "any.png")
    entries = {m.path: m.entry for m in list_images(root, follow_links=True).members}
    np.testing.assert_array_equal(decode(entries["ink/cat/x.png"]), pixels("any.png"))


@pytest.mark.parametrize(
    ("card", "names"),
    [
        (OfficeHome, ["Art/Bed/1.png", "Clipart/Bed/1.png"]),
        (ImagenetR, ["n01443537/art_1.jpg", "n01443537/toy_2.jpg"]),
    ],
    ids=["office_home", "imagenet_r"],
)
def test_cards_with_a_listing_of_their_own_follow_links_too(tmp_path, card, names):
    store, root = fill(tmp_path / "store", names), tmp_path / "in"
    root.mkdir()
    for folder in {name.split("/")[0] for name in names}:
        (root / folder).symlink_to(store / folder)
    with pytest.raises(InputError, match="leads out of"):
        card(root=str(root)).listing()
    found = card(root=str(root), follow_links=True).listing()
    assert found.members and len(found.members) == len(card(root=str(store)).listing().members)
