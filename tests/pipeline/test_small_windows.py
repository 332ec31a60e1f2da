"""Small windows of an image: how large, of what, and drawn by what."""

import dataclasses

import numpy as np
import pytest
from pictures import noise, picture, uniform
from PIL import Image
from test_batches import AUGMENT, assert_same, make

from jaxclr.errors import InputError
from jaxclr.pipeline.batches import Batches
from jaxclr.pipeline.self_supervised import SelfSupervised
from jaxclr.pipeline.split import Split

STILL = SelfSupervised(
    flip=0.0, jitter_probability=0.0, gray=0.0, crops=3, crop_size=12, crop_area=(0.05, 0.3)
)
OF_BATCHES = SelfSupervised(size=16, crops=3, crop_size=8)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_there_are_as_many_of_the_size_wanted_and_they_may_be_written_to():
    image = picture()
    views = STILL.small(image, rng())
    assert views.shape == (3, 12, 12, 3) and views.dtype == np.uint8
    views[:] = 0
    np.testing.assert_array_equal(image, picture())
    assert dataclasses.replace(STILL, crops=0).small(image, rng()).shape == (0, 12, 12, 3)


def test_each_is_a_window_of_the_small_area_resized(monkeypatch):
    image, drawn = picture(60, 80), []
    window = SelfSupervised._window

    def watched(self, *given):
        drawn.append(window(self, *given))
        return drawn[-1]

    monkeypatch.setattr(SelfSupervised, "_window", watched)
    views = np.concatenate([STILL.small(image, rng(seed)) for seed in range(200)])
    assert len(drawn) == len(views) == 600
    for view, (left, top, right, bottom) in zip(views[:20], drawn, strict=False):
        part = Image.fromarray(image[top:bottom, left:right])
        expected = part.resize((12, 12), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(view, np.asarray(expected))
    left, top, right, bottom = np.array(drawn).T
    # Sides are whole pixels.
    assert uniform((right - left) * (bottom - top) / 4800, 0.05 * 0.9, 0.3 * 1.05)


def test_they_are_windows_even_where_other_views_show_the_whole_image():
    whole = dataclasses.replace(STILL, translate=0.0, size=12)
    image = noise()
    views = dataclasses.replace(whole, crop_area=(0.05, 0.05), crops=50).small(image, rng())
    shown = whole.strong(image, rng())
    assert not any(np.array_equal(view, shown) for view in views)


def test_the_first_ones_are_the_same_however_many_there_are():
    colourful = SelfSupervised(crops=5, blur=0.5)
    five = colourful.small(picture(), rng(3))
    for count in range(5):
        few = dataclasses.replace(colourful, crops=count).small(picture(), rng(3))
        np.testing.assert_array_equal(few, five[:count])
    assert len({view.tobytes() for view in five}) == 5


def of(augment, crops):
    """A step's batch, and nothing else than the views changed."""
    batches = make()
    split = Split(labeled=batches.labeled.indices, unlabeled=batches.unlabeled.indices)
    return Batches(
        batches.sources, split, augment,
        seed=1, steps=12, batch_per_domain=4, unlabeled_ratio=2, second=True, crops=crops,
    )[3]  # fmt: skip


def test_a_batch_has_those_of_every_image_and_all_else_is_as_without_them():
    plain, more = of(OF_BATCHES, crops=False), of(OF_BATCHES, crops=True)
    for few, many, images in zip(plain, more, (8, 16), strict=True):
        assert few.crops is None and many.crops.shape == (images, 3, 8, 8, 3)
        assert len({view.tobytes() for view in many.crops.reshape(-1, 192)}) == 3 * images
    assert_same(plain, type(plain)(*(views._replace(crops=None) for views in more)))
    assert_same(more, of(OF_BATCHES, crops=True))
    fewer = of(dataclasses.replace(OF_BATCHES, crops=2), crops=True)
    for few, many in zip(fewer, more, strict=True):
        np.testing.assert_array_equal(few.crops, many.crops[:, :2])


@pytest.mark.parametrize("augment", [AUGMENT, dataclasses.replace(OF_BATCHES, crops=0)])
def test_where_the_views_have_none_that_is_said(augment):
    with pytest.raises(InputError, match=r"SelfSupervised\(crops=4\), or --augment\.crops 4"):
        of(augment, crops=True)
