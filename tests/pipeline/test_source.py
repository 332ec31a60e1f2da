import dataclasses
from pathlib import Path

import numpy as np
import pytest
from things import NAMES, Things, fill, pixels

from jaxclr.errors import InputError
from jaxclr.pipeline.source import Images


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


def test_the_name_of_a_card_is_its_class_in_snake_case():
    assert Things().name == "things"
    assert dataclasses.make_dataclass("OfficeHome", [], bases=(Things,), frozen=True)().name == (
        "office_home"
    )
