"""The three views against their description, and the chances that they are drawn with."""

import numpy as np
import pytest
from PIL import ImageChops

from jaxclr.errors import InputError
from jaxclr.pipeline import operations
from jaxclr.pipeline.augment import Augment, digits
from jaxclr.pipeline.operations import Operation

STILL = {"flip": 0.0, "translate": 0.0, "operations": 0, "cutout": 0}


def picture(height=32, width=32, seed=0):
    """Smooth enough to be resized, rough enough that no two windows look alike."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-4, 9, (height, width, 3))
    return np.clip(20 + steps.cumsum(axis=1) // 2 + steps.cumsum(axis=0), 0, 255).astype(np.uint8)


def ramp(size):
    """Red tells the column, green the row, at ``223 // (size - 1)`` levels a pixel."""
    row, column = np.mgrid[:size, :size] * (223 // (size - 1))
    return np.stack([column, row, 0 * row], axis=-1).astype(np.uint8)


def resized(pixels, height, width):
    """Bilinear: a triangle about each centre, widened by the factor of a reduction."""
    for axis, side in ((0, height), (1, width)):
        scale = pixels.shape[axis] / side
        centre = (np.arange(side)[:, None] + 0.5) * scale
        distance = np.abs(np.arange(pixels.shape[axis]) + 0.5 - centre) / max(scale, 1)
        weight = np.maximum(1 - distance, 0)
        weight /= weight.sum(axis=1, keepdims=True)
        pixels = np.moveaxis(np.tensordot(weight, pixels.astype(float), (1, axis)), 0, axis)
    return pixels


def window(view, size):
    """Reads off a view of ``ramp`` where it was cut from; None if it is the whole picture."""
    levels = 223 // (size - 1)
    means = view[..., 0].mean(), view[..., 1].mean()
    spread = (int(view[size // 2, -1, 0]) - int(view[size // 2, 0, 0])) / levels / (size - 1)
    if spread > 0.95:
        return None
    # The middle of the window, taken back from the enlarged picture to the ramp.
    ratio = round(size * 1.125) / size
    return tuple(round((mean / levels + 0.5) * ratio - size / 2) for mean in means)


def hole(view):
    """The rows and columns of the black rectangle in a view of white: top, bottom, left, right."""
    black = (view == 0).all(axis=-1)
    rows, columns = np.flatnonzero(black.any(axis=1)), np.flatnonzero(black.any(axis=0))
    box = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    assert black.sum() == (box[1] - box[0]) * (box[3] - box[2])
    assert (view[~black] == 255).all()
    return box


def fair(count, trials, chance):
    """Within four standard deviations of a binomial."""
    return abs(count - trials * chance) < 4 * np.sqrt(trials * chance * (1 - chance))


@pytest.mark.parametrize(("height", "width"), [(40, 27), (17, 20), (90, 130), (32, 32)])
def test_training_views_are_resized_to_a_square(height, width):
    image = picture(height, width)
    settings, rng = Augment(size=32, **STILL), np.random.default_rng(0)
    expected = resized(image, 32, 32)
    for view in (settings.weak(image, rng), settings.strong(image, rng)):
        assert view.shape == (32, 32, 3)
        assert np.abs(view - expected).max() <= 1.01


@pytest.mark.parametrize(("height", "width"), [(30, 47), (47, 30), (13, 14), (100, 33), (16, 16)])
def test_the_test_view_is_the_central_square_with_the_shorter_side_resized(height, width):
    image = picture(height, width)
    tall, wide = 16 * height // min(height, width), 16 * width // min(height, width)
    top, left = round((tall - 16) / 2), round((wide - 16) / 2)
    expected = resized(image, tall, wide)[top : top + 16, left : left + 16]
    view = Augment(size=16).evaluation(image)
    assert view.shape == (16, 16, 3)
    assert np.abs(view - expected).max() <= 1.01


@pytest.mark.parametrize(("size", "slack", "trials"), [(32, 4, 2500), (224, 28, 250)])
def test_translation_takes_a_window_of_the_enlarged_picture_uniformly(size, slack, trials):
    settings = Augment(size=size, flip=0.0, translate=1.0)
    image, rng = ramp(size), np.random.default_rng(1)
    corners = np.array([window(settings.weak(image, rng), size) for _ in range(trials)])
    expected = trials / (slack + 1)
    for offsets in corners.T:
        counts = np.bincount(offsets, minlength=slack + 1)
        assert len(counts) == slack + 1
        # Chi-square: its mean is the degrees of freedom, its variance twice as many.
        excess = ((counts - expected) ** 2 / expected).sum() - slack
        assert excess < 4 * np.sqrt(2 * slack)
    assert abs(np.corrcoef(corners.T)[0, 1]) < 4 / np.sqrt(trials)


def test_a_translated_view_is_that_window_pixel_by_pixel():
    image, shifts = picture(40, 50), np.random.default_rng(2)
    settings = Augment(size=32, flip=0.0, translate=1.0)
    enlarged = resized(resized(image, 32, 32), 36, 36)
    views = [settings.weak(image, shifts) for _ in range(20)]
    corners = [(top, left) for top in range(5) for left in range(5)]
    for view in views:
        errors = [
            np.abs(view - enlarged[t : t + 32, left : left + 32]).max() for t, left in corners
        ]
        assert sorted(errors)[0] <= 2 < sorted(errors)[1]


def test_half_of_the_weak_views_are_translated():
    settings, rng = Augment(size=32, flip=0.0), np.random.default_rng(3)
    whole = [window(settings.weak(ramp(32), rng), 32) is None for _ in range(2000)]
    assert fair(sum(whole), 2000, 0.5)


@pytest.mark.parametrize("view", ["weak", "strong"])
@pytest.mark.parametrize("flip", [0.0, 0.5, 0.8, 1.0])
def test_views_are_mirrored_with_the_given_probability(view, flip):
    settings = Augment(size=16, translate=0.0, operations=0, cutout=0, flip=flip)
    image, rng = picture(16, 16), np.random.default_rng(4)
    views = [getattr(settings, view)(image, rng) for _ in range(1000)]
    mirrored = sum(np.array_equal(v, image[:, ::-1]) for v in views)
    assert mirrored + sum(np.array_equal(v, image) for v in views) == 1000
    assert mirrored == 1000 * flip if flip in (0, 1) else fair(mirrored, 1000, flip)


def test_the_hole_is_a_square_about_a_uniform_pixel_clipped_at_the_border():
    settings, rng = Augment(size=32, operations=0), np.random.default_rng(5)
    white = np.full((32, 32, 3), 255, np.uint8)
    centres, areas = np.zeros((2, 32)), []
    for _ in range(3200):
        top, bottom, left, right = hole(settings.strong(white, rng))
        for axis, (start, stop) in enumerate([(top, bottom), (left, right)]):
            centre = stop - 8 if stop < 32 else start + 8
            assert (start, stop) == (max(centre - 8, 0), min(centre + 8, 32))
            centres[axis, centre] += 1
        areas.append((bottom - top) * (right - left))
    assert (((centres - 100) ** 2 / 100).sum(axis=1) < 31 + 4 * np.sqrt(62)).all()
    sides = [min(centre + 8, 32) - max(centre - 8, 0) for centre in range(32)]
    deviation = np.std(np.outer(sides, sides)) / np.sqrt(3200)
    assert abs(np.mean(areas) - np.mean(sides) ** 2) < 4 * deviation


@pytest.mark.parametrize(("cutout", "share"), [(0, 0.0), (80, 1.0)])
def test_no_hole_spares_every_pixel_and_a_huge_one_none(cutout, share):
    settings, rng = Augment(size=32, operations=0, cutout=cutout), np.random.default_rng(6)
    white = np.full((32, 32, 3), 255, np.uint8)
    for _ in range(20):
        assert (settings.strong(white, rng) == 0).mean() == share


def test_a_hole_of_odd_side_keeps_its_side():
    settings, rng = Augment(size=64, operations=0, cutout=5), np.random.default_rng(7)
    white = np.full((64, 64, 3), 255, np.uint8)
    boxes = [hole(settings.strong(white, rng)) for _ in range(50)]
    assert max((b - t) * (r - left) for t, b, left, r in boxes) == 25


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_the_strong_view_goes_through_as_many_operations_as_asked(monkeypatch, count):
    brighter = Operation("Step", 0, 1, False, lambda image, _: image.point(lambda v: v + 1))
    monkeypatch.setattr(operations, "OPERATIONS", (brighter,))
    settings = Augment(size=8, operations=count, cutout=0)
    view = settings.strong(np.zeros((8, 8, 3), np.uint8), np.random.default_rng(8))
    assert (view == count).all()


def test_the_hole_is_black_whatever_was_done_before(monkeypatch):
    invert = Operation("Invert", 0, 1, False, lambda image, _: ImageChops.invert(image))
    monkeypatch.setattr(operations, "OPERATIONS", (invert,))
    rng = np.random.default_rng(9)
    black = np.zeros((32, 32, 3), np.uint8)
    top, bottom, left, right = hole(Augment(size=32, operations=1).strong(black, rng))
    assert 0 < (bottom - top) * (right - left) <= 256


@pytest.mark.parametrize("view", ["weak", "strong"])
def test_a_view_depends_on_the_image_and_the_generator_alone(view):
    image, settings = picture(40, 50), Augment(size=32)
    draw = getattr(settings, view)
    first = [draw(image, rng) for rng in [np.random.default_rng(10)] for _ in range(30)]
    np.random.default_rng(99).random()
    again = [draw(image, rng) for rng in [np.random.default_rng(10)] for _ in range(30)]
    np.testing.assert_array_equal(first, again)
    assert len({v.tobytes() for v in first}) > 10


def test_weak_views_take_the_same_draws_whatever_comes_of_them():
    states = []
    for flip, translate in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]:
        rng = np.random.default_rng(11)
        Augment(size=32, flip=flip, translate=translate).weak(picture(), rng)
        states.append(rng.bit_generator.state)
    assert all(state == states[0] for state in states)


def test_views_are_new_arrays_that_may_be_written_to():
    image, settings = picture(), Augment(size=32, **STILL)
    rng = np.random.default_rng(12)
    for view in (
        settings.weak(image, rng),
        settings.strong(image, rng),
        settings.evaluation(image),
    ):
        assert view.dtype == np.uint8
        np.testing.assert_array_equal(view, image)
        view[:] = 0
    np.testing.assert_array_equal(image, picture())


def test_digits_are_small_and_never_mirrored():
    settings, rng = digits(), np.random.default_rng(13)
    views = [settings.weak(ramp(32), rng) for _ in range(200)]
    assert all(v.shape == (32, 32, 3) and v[16, 0, 0] < v[16, -1, 0] for v in views)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 7},
        {"flip": -0.1},
        {"flip": float("nan")},
        {"translate": 1.5},
        {"operations": -1},
        {"cutout": -16},
        {"mean": (0.5, float("nan"), 0.5)},
        {"std": (0.5, 0.0, 0.5)},
        {"std": (0.5, float("inf"), 0.5)},
    ],
)
def test_a_setting_out_of_range_is_refused_by_name_and_value(wrong):
    with pytest.raises(InputError) as refusal:
        Augment(**wrong)
    ((name, value),) = wrong.items()
    assert str(refusal.value).startswith(f"{name} is {value}: ")
