"""Weak and strong views of small images against their description, and their chances."""

import dataclasses

import numpy as np
import pytest
from pictures import even, fair, noise, picture, plain
from PIL import Image, ImageChops

from jaxclr.errors import InputError
from jaxclr.pipeline import operations
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.operations import Operation
from jaxclr.pipeline.small_images import SmallImages, cifar10, cifar100, stl10, svhn

STILL = SmallImages(flip=0.0, translate=0.0, operations=0, cutout=0)
GRAY = (125, 123, 114)


def mirrored_index(place: int, size: int) -> int:
    """Where a place past the border is reflected to; the border itself is not repeated."""
    if place < 0:
        return -place
    return place if place < size else 2 * (size - 1) - place


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The image as seen by a window moved down and right, pixel by pixel."""
    size = len(image)
    view = np.empty_like(image)
    for y in range(size):
        for x in range(size):
            row, column = mirrored_index(y + down, size), mirrored_index(x + right, size)
            view[y, x] = image[row, column]
    return view


def hole(view: np.ndarray, ground: int = 255, fill=GRAY):
    """Top, bottom, left and right of what is filled in a view of one colour; None if nothing is."""
    filled = (view == np.array(fill)).all(axis=-1)
    assert (view[~filled] == ground).all()
    if not filled.any():
        return None
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    box = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    assert filled.sum() == (box[1] - box[0]) * (box[3] - box[2])
    return box


@pytest.mark.parametrize("view", ["weak", "strong"])
@pytest.mark.parametrize(("size", "shift"), [(9, 3), (10, 5), (12, 1)])
def test_views_are_windows_shifted_evenly_over_the_reflected_image(view, size, shift):
    settings = dataclasses.replace(STILL, size=size, shift=shift, translate=1.0)
    image, rng = noise(size, size), np.random.default_rng(0)
    moves = range(-shift, shift + 1)
    expected = {shifted(image, y, x).tobytes(): (y, x) for y in moves for x in moves}
    assert len(expected) == (2 * shift + 1) ** 2
    counts = np.zeros((2 * shift + 1,) * 2)
    for _ in range(15 * counts.size):
        y, x = expected[getattr(settings, view)(image, rng).tobytes()]
        counts[y + shift, x + shift] += 1
    assert even(counts)


@pytest.mark.parametrize("view", ["weak", "strong"])
@pytest.mark.parametrize("translate", [0.0, 0.3, 1.0])
def test_views_are_shifted_with_the_given_probability(view, translate):
    settings = dataclasses.replace(STILL, translate=translate)
    image, rng = noise(), np.random.default_rng(1)
    still = sum(np.array_equal(getattr(settings, view)(image, rng), image) for _ in range(1000))
    # One window in 81 is where the image is.
    assert fair(still, 1000, 1 - translate + translate / 81)


@pytest.mark.parametrize("view", ["weak", "strong"])
@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
def test_views_are_mirrored_with_the_given_probability(view, flip):
    settings = dataclasses.replace(STILL, flip=flip)
    image, rng = noise(), np.random.default_rng(2)
    views = [getattr(settings, view)(image, rng) for _ in range(600)]
    mirrored = sum(np.array_equal(v, image[:, ::-1]) for v in views)
    assert mirrored + sum(np.array_equal(v, image) for v in views) == 600
    assert fair(mirrored, 600, flip)


@pytest.mark.parametrize(("height", "width"), [(40, 27), (96, 96), (32, 32)])
def test_images_of_another_size_are_resized_first(height, width):
    image, rng = picture(height, width), np.random.default_rng(3)
    expected = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR))
    for view in (STILL.weak(image, rng), STILL.strong(image, rng)):
        np.testing.assert_array_equal(view, expected)
    moved = shifted(expected, 3, -2).tobytes()
    settings = dataclasses.replace(STILL, translate=1.0)
    assert moved in {settings.weak(image, rng).tobytes() for _ in range(700)}


def test_the_hole_is_gray_of_a_uniform_side_about_a_uniform_pixel():
    settings = dataclasses.replace(STILL, cutout=16)
    rng, white = np.random.default_rng(4), plain(255, 255, 255)
    sides, rows, columns = np.zeros(17), np.zeros(32), np.zeros(32)
    for _ in range(6000):
        box = hole(settings.strong(white, rng))
        if box is None:
            sides[0] += 1
            continue
        top, bottom, left, right = box
        # What touches a border may be less than the whole of it.
        if top > 0 and bottom < 32:
            assert not (left > 0 and right < 32) or right - left == bottom - top
            sides[bottom - top] += 1
            rows[(top + bottom) // 2] += 1
        if left > 0 and right < 32:
            columns[(left + right) // 2] += 1
    assert fair(sides[0], 6000, 1 / 17)
    # Of those whose rows are all within the picture, and off its border, the side is seen.
    for side in range(1, 17):
        inside = sum(c - side // 2 > 0 and c - side // 2 + side < 32 for c in range(32)) / 32
        assert fair(sides[side], 6000, inside / 17)
    assert even(rows[9:23]) and even(columns[9:23])


def test_strong_views_go_through_the_operations_after_the_shift(monkeypatch):
    brighter = Operation("Step", 0, 1, False, lambda image, _: image.point(lambda v: v + 1))
    monkeypatch.setattr(operations, "OPERATIONS", (brighter,))
    image, rng = picture() // 2, np.random.default_rng(5)
    for count in (0, 1, 3):
        settings = dataclasses.replace(STILL, operations=count)
        np.testing.assert_array_equal(settings.strong(image, rng), image + count)
        np.testing.assert_array_equal(settings.weak(image, rng), image)


def test_the_hole_is_gray_whatever_was_done_before(monkeypatch):
    invert = Operation("Invert", 0, 1, False, lambda image, _: ImageChops.invert(image))
    monkeypatch.setattr(operations, "OPERATIONS", (invert,))
    settings = dataclasses.replace(STILL, operations=1, cutout=16)
    boxes = [
        hole(settings.strong(plain(0, 0, 0), np.random.default_rng(seed))) for seed in range(20)
    ]
    assert sum(box is not None for box in boxes) > 10


@pytest.mark.parametrize("fill", [(0, 0, 0), (1, 200, 3)])
def test_the_hole_has_the_colour_that_is_asked_for(fill):
    settings = dataclasses.replace(STILL, cutout=16, fill=fill)
    boxes = [
        hole(settings.strong(plain(255, 255, 255), np.random.default_rng(seed)), fill=fill)
        for seed in range(20)
    ]
    assert sum(box is not None for box in boxes) > 10


@pytest.mark.parametrize("view", ["weak", "strong"])
def test_a_view_depends_on_the_image_and_the_generator_alone(view):
    image, draw = picture(40, 50), getattr(cifar10(), view)
    first = [draw(image, rng) for rng in [np.random.default_rng(6)] for _ in range(30)]
    np.random.default_rng(99).random()
    again = [draw(image, rng) for rng in [np.random.default_rng(6)] for _ in range(30)]
    np.testing.assert_array_equal(first, again)
    assert len({v.tobytes() for v in first}) > 10


def test_weak_views_take_the_same_draws_whatever_comes_of_them():
    states = []
    for flip, translate in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]:
        rng = np.random.default_rng(7)
        SmallImages(flip=flip, translate=translate).weak(picture(), rng)
        states.append(rng.bit_generator.state)
    assert all(state == states[0] for state in states)


@pytest.mark.parametrize("settings", [STILL, cifar10()])
def test_views_are_new_arrays_that_may_be_written_to(settings):
    image, rng = picture(), np.random.default_rng(8)
    for view in (
        settings.weak(image, rng), settings.strong(image, rng), settings.evaluation(image)
    ):  # fmt: skip
        assert view.dtype == np.uint8 and view.shape == (32, 32, 3)
        view[:] = 0
    np.testing.assert_array_equal(image, picture())


@pytest.mark.parametrize(
    ("settings", "size"), [(cifar10(), 32), (cifar100(), 32), (svhn(), 32), (stl10(), 96)]
)
def test_presets_shift_by_an_eighth_and_cut_up_to_half_and_test_images_as_they_are(settings, size):
    assert isinstance(settings, Augment)
    assert (settings.size, settings.shift, settings.cutout) == (size, size // 8, size // 2)
    assert settings.operations == 3 and settings.translate == 1
    image = noise(size, size)
    np.testing.assert_array_equal(settings.evaluation(image), image)
    assert settings.strong(image, np.random.default_rng(0)).shape == (size, size, 3)


def test_digits_alone_are_not_mirrored():
    assert svhn().flip == 0
    assert {settings.flip for settings in (cifar10(), cifar100(), stl10())} == {0.5}


def test_presets_have_the_statistics_of_their_data_sets():
    # In levels of 0 to 255, as they are given for CIFAR and STL-10.
    published = {
        cifar10: ((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
        cifar100: ((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
        svhn: ((111.7, 113.2, 120.6), (44.7, 45.2, 44.5)),
        stl10: ((112.4, 109.1, 98.6), (68.4, 66.6, 68.5)),
    }
    for preset, (mean, std) in published.items():
        np.testing.assert_allclose(np.multiply(preset().mean, 255), mean, atol=0.06)
        np.testing.assert_allclose(np.multiply(preset().std, 255), std, atol=0.06)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shift": -1},
        {"shift": 32},
        {"fill": (0, 256, 0)},
        {"fill": (-1, 0, 0)},
        {"size": 7},
        {"translate": 1.5},
        {"cutout": -1},
        {"std": (0.0, 1.0, 1.0)},
    ],
)
def test_a_setting_out_of_range_is_refused_by_name_and_value(wrong):
    with pytest.raises(InputError) as refusal:
        SmallImages(**wrong)
    ((name, value),) = wrong.items()
    assert str(refusal.value).startswith(f"{name} is {value}: ")
