"""Each operation against its definition, written here in numpy, and how they are drawn."""

import numpy as np
import pytest
from PIL import Image

from jaxclr.pipeline import operations
from jaxclr.pipeline.operations import OPERATIONS, distort

APPLY = {operation.name: operation.apply for operation in OPERATIONS}
SEEDS = range(5)

# The ranges as the protocol states them; what goes both ways is given from end to end.
RANGES = {
    "AutoContrast": (0, 1),
    "Brightness": (0.05, 0.95),
    "Color": (0.05, 0.95),
    "Contrast": (0.05, 0.95),
    "Equalize": (0, 1),
    "Identity": (0, 1),
    "Posterize": (4, 8),
    "Rotate": (-30, 30),
    "Sharpness": (0.05, 0.95),
    "ShearX": (-0.3, 0.3),
    "ShearY": (-0.3, 0.3),
    "Solarize": (0, 256),
    "TranslateX": (-0.3, 0.3),
    "TranslateY": (-0.3, 0.3),
}


def picture(seed, height=23, width=37):
    """A smooth ramp under noise, of unlike channels that reach neither 0 nor 255."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(30, 190, width)[None, :, None] + np.zeros((height, 1, 3))
    ramp[..., 1] = np.linspace(50, 150, height)[:, None]
    return (ramp + rng.integers(0, 50, ramp.shape)).astype(np.uint8)


def result(name, pixels, magnitude=0.0):
    return np.asarray(APPLY[name](Image.fromarray(pixels), magnitude))


def gray(pixels):
    """Luma of ITU-R 601 in 16-bit fixed point."""
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16


def smoothed(pixels):
    """Five parts of the pixel, one of each neighbour; the outermost pixels stay."""
    height, width, _ = pixels.shape
    smooth = pixels.astype(np.int64)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            block = pixels[y - 1 : y + 2, x - 1 : x + 2].astype(np.int64)
            total = block.sum(axis=(0, 1)) + 4 * block[1, 1]
            smooth[y, x] = (2 * total + 13) // 26
    return smooth


def assert_blend(name, pixels, degenerate, share):
    exact = share * pixels.astype(float) + (1 - share) * degenerate
    assert np.abs(result(name, pixels, share) - exact).max() < 1.001


def assert_samples(name, pixels, magnitude, source):
    """Each pixel is the one its centre comes from, or black if that lies outside.

    Centres that come from the very border of two pixels may fall to either.
    """
    height, width, _ = pixels.shape
    y, x = np.mgrid[:height, :width] + 0.5
    u, v = source(x, y)
    column, row = np.floor(u).astype(int), np.floor(v).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    expected = pixels[row.clip(0, height - 1), column.clip(0, width - 1)] * inside[..., None]
    clear = (np.abs(u - np.round(u)) > 1e-3) & (np.abs(v - np.round(v)) > 1e-3)
    assert clear.mean() > 0.95
    np.testing.assert_array_equal(result(name, pixels, magnitude)[clear], expected[clear])


def test_the_operations_are_the_fourteen_of_the_protocol_with_their_ranges():
    table = {o.name: (-o.high if o.signed else o.low, o.high) for o in OPERATIONS}
    assert len(OPERATIONS) == 14
    assert table == RANGES


@pytest.mark.parametrize("seed", SEEDS)
def test_autocontrast_stretches_each_channel_from_black_to_white(seed):
    pixels = picture(seed)
    low, high = pixels.min(axis=(0, 1)).astype(int), pixels.max(axis=(0, 1)).astype(int)
    exact = (pixels - low) * 255.0 / (high - low)
    stretched = result("AutoContrast", pixels)
    assert np.abs(stretched - exact).max() < 1.001
    assert (stretched.min(axis=(0, 1)) == 0).all()
    assert (stretched.max(axis=(0, 1)) >= 254).all()


@pytest.mark.parametrize("name", ["AutoContrast", "Equalize", "Sharpness", "Color", "Contrast"])
def test_a_picture_of_one_gray_stays_as_it_is(name):
    pixels = np.full((9, 11, 3), 77, np.uint8)
    np.testing.assert_array_equal(result(name, pixels, 0.4), pixels)


@pytest.mark.parametrize("seed", SEEDS)
def test_equalize_maps_a_value_to_how_many_pixels_are_darker(seed):
    pixels = picture(seed)
    expected = np.empty_like(pixels)
    for channel in range(3):
        values = pixels[..., channel]
        step = (values < values.max()).sum() // 255
        for value in np.unique(values):
            rank = (step // 2 + (values < value).sum()) // step
            expected[..., channel][values == value] = min(rank, 255)
    np.testing.assert_array_equal(result("Equalize", pixels), expected)


def test_identity_changes_nothing():
    np.testing.assert_array_equal(result("Identity", picture(0), 0.7), picture(0))


@pytest.mark.parametrize(("magnitude", "bits"), [(4.0, 4), (4.99, 4), (5.0, 5), (7.9, 7), (8.0, 8)])
def test_posterize_keeps_the_high_bits(magnitude, bits):
    pixels = picture(0)
    expected = pixels // 2 ** (8 - bits) * 2 ** (8 - bits)
    np.testing.assert_array_equal(result("Posterize", pixels, magnitude), expected)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 100.0, 100.5, 128.0, 255.0, 255.5, 256.0])
def test_solarize_inverts_values_from_the_threshold_upwards(threshold):
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    expected = np.where(pixels < threshold, pixels, 255 - pixels)
    np.testing.assert_array_equal(result("Solarize", pixels, threshold), expected)


@pytest.mark.parametrize("share", [0.05, 0.31, 0.5, 0.95])
def test_brightness_blends_with_black(share):
    assert_blend("Brightness", picture(0), 0, share)


@pytest.mark.parametrize("share", [0.05, 0.31, 0.5, 0.95])
def test_color_blends_with_gray(share):
    assert_blend("Color", picture(0), gray(picture(0))[..., None], share)


@pytest.mark.parametrize("share", [0.05, 0.31, 0.5, 0.95])
def test_contrast_blends_with_the_mean_gray(share):
    assert_blend("Contrast", picture(0), np.floor(gray(picture(0)).mean() + 0.5), share)


@pytest.mark.parametrize("share", [0.05, 0.31, 0.5, 0.95])
def test_sharpness_blends_with_the_smoothed_picture(share):
    assert_blend("Sharpness", picture(0), smoothed(picture(0)), share)


@pytest.mark.parametrize("slope", [-0.3, -0.117, 0.0, 0.043, 0.281])
def test_a_shear_takes_each_pixel_from_further_along_its_line(slope):
    assert_samples("ShearX", picture(0), slope, lambda x, y: (x + slope * y, y))
    assert_samples("ShearY", picture(0), slope, lambda x, y: (x, y + slope * x))


@pytest.mark.parametrize("share", [-0.3, -0.117, 0.0, 0.043, 0.281])
def test_a_translation_takes_each_pixel_from_a_share_of_the_side_away(share):
    assert_samples("TranslateX", picture(0), share, lambda x, y: (x + share * 37, y))
    assert_samples("TranslateY", picture(0), share, lambda x, y: (x, y + share * 23))


@pytest.mark.parametrize("degrees", [-30.0, -7.3, 0.0, 12.9, 30.0])
def test_a_rotation_turns_counterclockwise_about_the_centre(degrees):
    def source(x, y):
        # On the plane as it is drawn, with the second axis upwards, turned back by the angle.
        plane = ((x - 37 / 2) + 1j * (23 / 2 - y)) * np.exp(-1j * np.deg2rad(degrees))
        return plane.real + 37 / 2, 23 / 2 - plane.imag

    assert_samples("Rotate", picture(0), degrees, source)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_operation_changes_the_picture_it_is_given_nor_its_size(operation):
    image = Image.fromarray(picture(0))
    for magnitude in (operation.low, operation.high):
        assert operation.apply(image, magnitude).size == image.size
    np.testing.assert_array_equal(np.asarray(image), picture(0))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_magnitudes_are_uniform_over_the_range_of_the_protocol(operation):
    rng = np.random.default_rng(3)
    draws = np.sort([operation.draw(rng) for _ in range(2000)])
    low, high = RANGES[operation.name]
    assert low <= draws[0] and draws[-1] <= high
    # Kolmogorov and Smirnov's distance; a fair draw exceeds this bound once in a thousand.
    distance = np.abs((draws - low) / (high - low) - np.arange(2000) / 2000).max()
    assert distance < 1.95 / np.sqrt(2000)


def test_operations_are_drawn_uniformly_and_with_replacement(monkeypatch):
    drawn = []

    def recorder(name):
        return lambda image, _: drawn.append(name) or image

    fakes = tuple(o._replace(apply=recorder(o.name)) for o in OPERATIONS)
    monkeypatch.setattr(operations, "OPERATIONS", fakes)
    rng = np.random.default_rng(4)
    for _ in range(3500):
        distort(Image.new("RGB", (8, 8)), 2, rng)
    counts = np.array([drawn.count(name) for name in RANGES])
    assert counts.sum() == 7000
    # Chi-square with 13 degrees of freedom; a fair draw exceeds 34.5 once in a thousand.
    assert ((counts - 500) ** 2 / 500).sum() < 34.5
    twice = sum(a == b for a, b in zip(drawn[::2], drawn[1::2], strict=True))
    assert abs(twice - 250) < 4 * np.sqrt(250)


def test_no_operations_leave_the_picture_and_the_generator_alone():
    rng = np.random.default_rng(5)
    image = Image.fromarray(picture(0))
    assert distort(image, 0, rng) is image
    assert rng.random() == np.random.default_rng(5).random()
