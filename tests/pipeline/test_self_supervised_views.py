"""Self-supervised views against their description, and the chances that they are drawn with."""

import colorsys
import dataclasses

import numpy as np
import pytest
from pictures import even, fair, noise, picture, plain, uniform
from PIL import Image

from jaxclr.errors import InputError
from jaxclr.pipeline import self_supervised
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.self_supervised import (
    SelfSupervised,
    self_supervised_cifar10,
    self_supervised_digits,
    turned,
)

STILL = SelfSupervised(flip=0.0, translate=0.0, jitter_probability=0.0, gray=0.0)
WINDOW = dataclasses.replace(STILL, translate=1.0)
# Colours alone, of which all but one stay.
JITTER = dataclasses.replace(STILL, jitter_probability=1.0)


def boxes(settings, image_size, trials, seed=0):
    """Windows as the settings draw them: left, top, right, bottom."""
    rng = np.random.default_rng(seed)
    return np.array([settings._window(*image_size, rng) for _ in range(trials)])


def luma(pixels):
    """ITU-R 601's gray of each pixel, in 0 to 255."""
    return pixels @ np.array([0.299, 0.587, 0.114])


def test_windows_lie_within_the_image_and_keep_to_area_and_ratio():
    for size in [(300, 200), (32, 32), (50, 400)]:
        left, top, right, bottom = boxes(WINDOW, size, 500).T
        assert left.min() >= 0 and top.min() >= 0
        assert right.max() <= size[0] and bottom.max() <= size[1]
        wide, tall = right - left, bottom - top
        assert (wide > 0).all() and (tall > 0).all()
        # A side is rounded by up to half a pixel.
        assert (wide / tall <= 4 / 3 * (1 + 1.5 / tall)).all()
        assert (tall / wide <= 4 / 3 * (1 + 1.5 / wide)).all()
        if size != (50, 400):
            share = wide * tall / (size[0] * size[1])
            assert share.min() > 0.2 * 0.9 and share.max() > 0.8


def test_area_and_ratio_are_uniform_where_every_window_fits():
    settings = dataclasses.replace(WINDOW, area=(0.05, 0.4), ratio=(0.5, 2.0))
    left, top, right, bottom = boxes(settings, (4000, 4000), 1500).T
    wide, tall = right - left, bottom - top
    assert uniform(wide * tall / 4000**2, 0.05 - 1e-4, 0.4 + 1e-4)
    assert uniform(np.log2(wide / tall), -1.001, 1.001)
    assert uniform(left / (4000 - wide), 0, 1) and uniform(top / (4000 - tall), 0, 1)
    assert abs(np.corrcoef(wide * tall, wide / tall)[0, 1]) < 4 / np.sqrt(1500)
    assert abs(np.corrcoef(left / (4000 - wide), top / (4000 - tall))[0, 1]) < 4 / np.sqrt(1500)


@pytest.mark.parametrize(
    ("size", "box"),
    [
        # Too wide, too tall, and of a ratio in between, for all of the area to be covered.
        ((400, 30), (180, 0, 220, 30)),
        ((30, 400), (0, 180, 30, 220)),
        ((33, 30), (0, 0, 33, 30)),
    ],
)
def test_where_no_window_fits_the_largest_central_one_is_taken(size, box):
    settings = dataclasses.replace(WINDOW, area=(1.0, 1.0), ratio=(3 / 4, 4 / 3))
    found = boxes(settings, size, 30)
    missed = (found == box).all(axis=1)
    assert missed.all() if 400 in size else missed.any()


@pytest.mark.parametrize("view", ["weak", "strong"])
def test_a_view_is_its_window_resized(monkeypatch, view):
    image = picture(50, 70)
    monkeypatch.setattr(SelfSupervised, "_window", lambda *_: (10, 5, 60, 31))
    part = Image.fromarray(image[5:31, 10:60])
    expected = np.asarray(part.resize((32, 32), Image.Resampling.BILINEAR))
    found = getattr(WINDOW, view)(image, np.random.default_rng(0))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("view", ["weak", "strong"])
@pytest.mark.parametrize("translate", [0.0, 0.3, 1.0])
def test_views_are_windows_with_the_given_probability(view, translate):
    settings = dataclasses.replace(WINDOW, translate=translate, area=(0.2, 0.5))
    image, rng = noise(), np.random.default_rng(1)
    whole = [np.array_equal(getattr(settings, view)(image, rng), image) for _ in range(500)]
    assert fair(sum(whole), 500, 1 - translate)


@pytest.mark.parametrize("view", ["weak", "strong"])
@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
def test_views_are_mirrored_with_the_given_probability(view, flip):
    settings = dataclasses.replace(STILL, flip=flip)
    image, rng = noise(), np.random.default_rng(2)
    views = [getattr(settings, view)(image, rng) for _ in range(500)]
    mirrored = sum(np.array_equal(v, image[:, ::-1]) for v in views)
    assert mirrored + sum(np.array_equal(v, image) for v in views) == 500
    assert fair(mirrored, 500, flip)


def test_weak_views_keep_their_colours():
    settings = dataclasses.replace(JITTER, gray=1.0, blur=1.0, operations=3, cutout=32)
    np.testing.assert_array_equal(settings.weak(noise(), np.random.default_rng(3)), noise())


def blended(pixels, ground, factor):
    """A point on the line from ``ground`` to the pixels, and beyond; cut off at black and white."""
    return np.clip(ground + factor * (pixels - ground), 0, 255)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_brightness_contrast_and_saturation_go_as_far_either_way(which):
    jitter = tuple(0.4 if i == which else 0.0 for i in range(4))
    settings = dataclasses.replace(JITTER, jitter=jitter)
    # Of low contrast and between the ends, so that nothing is cut off.
    image, rng = noise() // 4 + 90, np.random.default_rng(4)
    pixels = image.astype(float)
    gray = luma(pixels)[..., None]
    ground = (0.0, np.floor(gray.mean() + 0.5), gray)[which]
    factors = []
    for _ in range(400):
        view = settings.strong(image, rng)
        away = pixels - ground
        factor = (away * (view - ground)).sum() / (away**2).sum()
        assert np.abs(view - blended(pixels, ground, factor)).max() < 1.6
        factors.append(factor)
    assert uniform(np.array(factors), 0.6 - 0.02, 1.4 + 0.02)


def hue_turned(pixels, turn):
    """The definition, pixel by pixel."""
    view = np.empty(pixels.shape)
    for place in np.ndindex(pixels.shape[:2]):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixels[place] / 255))
        view[place] = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
    return 255 * view


@pytest.mark.parametrize("turn", [25 / 255, -25 / 255, 1 / 3, 0.5, -0.5])
def test_hue_turns_and_saturation_and_value_stay(turn):
    found = np.asarray(turned(Image.fromarray(noise()), turn)).astype(float)
    error = np.abs(found - hue_turned(noise(), turn))
    # Hue and saturation are kept in steps of 1/255, the coarser the darker a pixel is.
    assert error.mean() < 1.5 and error.max() < 10


def test_a_third_of_a_turn_makes_red_green_and_no_turn_makes_nothing():
    red = Image.fromarray(plain(255, 0, 0))
    np.testing.assert_array_equal(turned(red, 1 / 3), plain(0, 255, 0))
    np.testing.assert_array_equal(turned(red, -1 / 3), plain(0, 0, 255))
    np.testing.assert_array_equal(turned(Image.fromarray(noise()), 0.001), noise())
    np.testing.assert_array_equal(red, plain(255, 0, 0))


def test_hue_goes_as_far_either_way():
    settings = dataclasses.replace(JITTER, jitter=(0.0, 0.0, 0.0, 0.1))
    rng, turns = np.random.default_rng(5), []
    for _ in range(500):
        red, green, blue = settings.strong(plain(40, 200, 40), rng)[0, 0] / 255
        turns.append(colorsys.rgb_to_hsv(red, green, blue)[0] - 1 / 3)
    assert uniform(np.array(turns), -0.103, 0.103)


def test_colours_move_with_the_given_probability_in_every_order(monkeypatch):
    done = []
    names = [lambda image, _, name=name: done.append(name) or image for name in "bcsh"]
    monkeypatch.setattr(self_supervised, "COLOURS", names)
    rng = np.random.default_rng(6)
    for _ in range(3000):
        SelfSupervised().strong(noise(8, 8), rng)
    assert len(done) % 4 == 0 and fair(len(done) // 4, 3000, 0.8)
    orders = ["".join(done[i : i + 4]) for i in range(0, len(done), 4)]
    assert all(sorted(order) == sorted("bcsh") for order in orders)
    counts = np.array([orders.count(order) for order in set(orders)])
    assert len(counts) == 24 and even(counts)


def test_strong_views_lose_their_colours_with_the_given_probability():
    settings, rng = dataclasses.replace(STILL, gray=0.3), np.random.default_rng(7)
    views = [settings.strong(noise(8, 8), rng) for _ in range(1000)]
    # A size of 32 is made of 8: compared before and after graying.
    colourful = dataclasses.replace(STILL, gray=0.0).strong(noise(8, 8), rng)
    gray = [v for v in views if (v == v[..., :1]).all()]
    assert fair(len(gray), 1000, 0.3)
    assert all(np.abs(v[..., 0] - luma(colourful.astype(float))).max() < 1 for v in gray)
    assert sum(np.array_equal(v, colourful) for v in views) == 1000 - len(gray)


def test_strong_views_are_blurred_with_the_given_probability():
    settings, rng = dataclasses.replace(STILL, blur=0.5), np.random.default_rng(8)
    point = plain(0, 0, 0)
    point[16, 16] = 255
    variances, still = [], 0
    for _ in range(600):
        view = settings.strong(point, rng)[..., 0].astype(float)
        still += np.array_equal(view, point[..., 0])
        if view.sum() > 200:
            place = np.arange(32) - 16
            variances.append((view.sum(0) * place**2).sum() / view.sum())
    # A deviation that is but a fraction of a pixel does not show.
    assert 0.42 < still / 600 < 0.65
    assert 1.2 < max(variances) < 2.1**2


@pytest.mark.parametrize("extra", [{"operations": 3}, {"cutout": 40}])
def test_randaugment_and_cutout_come_on_top_if_asked(extra):
    settings, rng = dataclasses.replace(STILL, **extra), np.random.default_rng(9)
    views = [settings.strong(noise(), rng) for _ in range(20)]
    assert sum(np.array_equal(view, noise()) for view in views) < 5


@pytest.mark.parametrize("view", ["weak", "strong"])
def test_a_view_depends_on_the_image_and_the_generator_alone(view):
    image, draw = picture(40, 50), getattr(self_supervised_cifar10(), view)
    first = [draw(image, rng) for rng in [np.random.default_rng(10)] for _ in range(30)]
    np.random.default_rng(99).random()
    again = [draw(image, rng) for rng in [np.random.default_rng(10)] for _ in range(30)]
    np.testing.assert_array_equal(first, again)
    assert len({v.tobytes() for v in first}) > 10


def test_views_take_the_same_draws_whatever_comes_of_them():
    for view in ("weak", "strong"):
        states = []
        for settings in (STILL, SelfSupervised(), SelfSupervised(gray=1.0, blur=1.0)):
            rng = np.random.default_rng(11)
            getattr(settings, view)(picture(), rng)
            states.append(rng.bit_generator.state)
        assert all(state == states[0] for state in states)


@pytest.mark.parametrize("settings", [STILL, SelfSupervised()])
def test_views_are_new_arrays_that_may_be_written_to(settings):
    image, rng = picture(), np.random.default_rng(12)
    for view in (
        settings.weak(image, rng), settings.strong(image, rng), settings.evaluation(image)
    ):  # fmt: skip
        assert view.dtype == np.uint8 and view.shape == (32, 32, 3)
        view[:] = 0
    np.testing.assert_array_equal(image, picture())


def test_one_pixel_is_enough():
    view = SelfSupervised().strong(plain(9, 9, 9, 1), np.random.default_rng(13))
    assert view.shape == (32, 32, 3)


def test_presets_are_those_of_their_data_sets():
    digits, cifar = self_supervised_digits(), self_supervised_cifar10()
    assert isinstance(digits, Augment) and digits.mean == digits.std == (0.5, 0.5, 0.5)
    assert (digits.size, digits.flip, digits.area) == (32, 0.0, (0.5, 1.0))
    assert (cifar.size, cifar.flip, cifar.area, cifar.gray) == (32, 0.5, (0.2, 1.0), 0.1)
    assert cifar.jitter == (0.4, 0.4, 0.4, 0.1) and cifar.jitter_probability == 0.8
    np.testing.assert_allclose(np.multiply(cifar.mean, 255), (125.3, 123.0, 113.9))


@pytest.mark.parametrize(
    "wrong",
    [
        {"jitter_probability": 1.1},
        {"gray": -0.1},
        {"blur": float("nan")},
        {"area": (0.0, 1.0)},
        {"area": (0.5, 0.4)},
        {"area": (0.5, 1.1)},
        {"ratio": (0.0, 1.0)},
        {"ratio": (1.0, float("inf"))},
        {"jitter": (0.4, 0.4, 0.4, 0.6)},
        {"jitter": (1.2, 0.4, 0.4, 0.1)},
        {"jitter": (0.4, -0.1, 0.4, 0.1)},
        {"size": 4},
        {"flip": 2.0},
        {"crops": -1},
        {"crop_size": 7},
        {"crop_area": (0.0, 0.2)},
    ],
)
def test_a_setting_out_of_range_is_refused_by_name_and_value(wrong):
    with pytest.raises(InputError) as refusal:
        SelfSupervised(**wrong)
    ((name, value),) = wrong.items()
    assert str(refusal.value).startswith(f"{name} is {value}: ")
