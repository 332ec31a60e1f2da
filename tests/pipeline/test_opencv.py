"""OpenCV's operations and views against Pillow's, which are the reference."""

import sys

import numpy as np
import pytest
from pictures import noise, picture, plain
from PIL import Image

from jaxclr.errors import InputError
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.engines import OpenCv, Pillow, engine_of
from jaxclr.pipeline.operations import OPERATIONS
from jaxclr.pipeline.self_supervised import SelfSupervised
from jaxclr.pipeline.small_images import SmallImages

cv2 = pytest.importorskip("cv2")
opencv = pytest.importorskip("jaxclr.pipeline.operations_opencv")

# The most that the mean absolute difference from Pillow may be, in levels of 0 to 255, over all
# pictures and magnitudes below. Tables of 256 values are the same. OpenCV's gray is one level off
# at some pixels, and its rounding at others; of turned and sheared pictures, few pixels come from
# the neighbour of where Pillow's come from.
MOST = {
    "AutoContrast": 0.0,
    "Brightness": 0.0,
    "Color": 0.01,
    "Contrast": 0.01,
    "Equalize": 0.0,
    "Identity": 0.0,
    "Posterize": 0.0,
    "Rotate": 0.05,
    "Sharpness": 0.01,
    "ShearX": 0.01,
    "ShearY": 0.01,
    "Solarize": 0.0,
    "TranslateX": 0.0,
    "TranslateY": 0.0,
}

PICTURES = [
    picture(96, 96, 1), picture(23, 37, 2), noise(32, 32), plain(77, 77, 77), plain(9, 70, 200),
    picture(50, 41, 3) // 3 + 40,
]  # fmt: skip


def off(one, other):
    """The mean absolute difference."""
    return np.abs(np.asarray(one).astype(int) - other).mean()


def resized(image, width, height):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_is_pillow_s(operation):
    low = -operation.high if operation.signed else operation.low
    drawn = np.random.default_rng(0).uniform(low, operation.high, 20)
    differences = [
        off(operation.apply(Image.fromarray(image), m), opencv.APPLY[operation.name](image, m))
        for image in PICTURES
        for m in (low, operation.high, *drawn.tolist())
    ]
    assert np.mean(differences) <= MOST[operation.name]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_operation_changes_the_picture_it_is_given_nor_its_shape(operation):
    image = picture(20, 30)
    image.setflags(write=False)
    found = opencv.APPLY[operation.name](image, operation.high)
    assert found.shape == image.shape and found.dtype == np.uint8


@pytest.mark.parametrize(
    "height, width, most",
    [
        # Enlarged to 64 px, both are bilinear.
        (30, 41, 0.3), (56, 63, 0.3),
        # Reduced to 64 px, Pillow weights by a triangle, and OpenCV takes the mean of the area. The
        # picture is rougher than photographs are, and the difference greater.
        (65, 65, 0.3), (70, 80, 1.5), (90, 100, 2.5), (128, 128, 4.0), (200, 300, 1.0),
    ],
)  # fmt: skip
def test_resizing_comes_near_pillow_s_and_nearest_of_opencv_s_ways(height, width, most):
    image = picture(height, width)
    expected, found = resized(image, 64, 64), opencv.resized(image, 64, 64)
    assert off(found, expected) <= most
    for way in (cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_NEAREST):
        assert off(found, expected) <= off(cv2.resize(image, (64, 64), interpolation=way), expected)


def test_a_picture_of_the_size_stays_as_it_is():
    image = picture(20, 30)
    assert opencv.resized(image, 30, 20) is image


@pytest.mark.parametrize("settings", [Augment, SmallImages])
@pytest.mark.parametrize("shape, most", [((32, 32), 0.3), ((40, 27), 1.5)])
def test_views_differ_from_pillow_s_by_rounding_and_the_draws_are_the_same(settings, shape, most):
    image, one, other = picture(*shape), settings(size=32), settings(size=32, engine="opencv")
    for view in ("weak", "strong"):
        ours, theirs = np.random.default_rng(1), np.random.default_rng(1)
        pairs = [
            (getattr(one, view)(image, ours), getattr(other, view)(image, theirs))
            for _ in range(60)
        ]
        assert np.mean([off(*pair) for pair in pairs]) < most
        assert ours.random() == theirs.random()
        assert len({b.tobytes() for _, b in pairs}) > 20


def test_views_are_new_arrays_whatever_the_draws():
    image = picture()
    still = Augment(size=32, engine="opencv", flip=0.0, translate=0.0, operations=0, cutout=0)
    rng = np.random.default_rng(2)
    for view in (still.weak(image, rng), still.strong(image, rng), still.square(image)):
        np.testing.assert_array_equal(view, image)
        view[:] = 0
    np.testing.assert_array_equal(image, picture())


def test_images_that_lie_backwards_or_may_not_be_written_are_taken():
    image = picture(40, 27)
    there = np.ascontiguousarray(image[::-1])
    image.setflags(write=False)
    settings = Augment(size=32, engine="opencv")
    for view in (settings.weak, settings.strong):
        seen = [view(x, np.random.default_rng(3)) for x in (image[::-1], there)]
        np.testing.assert_array_equal(*seen)


def test_what_is_tested_is_made_by_pillow_always():
    image = picture(40, 27)
    one, other = Augment(size=16), Augment(size=16, engine="opencv")
    np.testing.assert_array_equal(one.evaluation(image), other.evaluation(image))


def test_self_supervised_views_are_made_by_pillow_alone():
    with pytest.raises(InputError, match=r"engine is opencv: .* Give --augment.engine pillow"):
        SelfSupervised(engine="opencv")


def test_without_opencv_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "jaxclr.pipeline.operations_opencv")
    monkeypatch.delattr("jaxclr.pipeline.operations_opencv")
    with pytest.raises(InputError, match=r"jaxclr\[opencv\].*--augment.engine pillow"):
        OpenCv()


def test_pillow_is_the_engine_unless_another_is_asked_for():
    assert isinstance(engine_of(Augment().engine), Pillow)
