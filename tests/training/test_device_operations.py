"""Each operation on the device against Pillow's, at the same magnitudes."""

import jax
import numpy as np
import pytest
from PIL import Image

from jaxclr.pipeline.operations import OPERATIONS
from jaxclr.training.device_operations import PLACE, TABLES, distorted

SIZE = 32

# The most that the mean absolute difference from Pillow may be, in levels of 0 to 255, over all
# pictures and magnitudes below. What is computed in whole numbers does not differ at all; what is
# computed in single precision may, by one level at few pixels; so may autocontrast, where Pillow's
# double precision stays just below a whole number. A sampled pixel whose source lies on the border
# of two within single precision may be its neighbour.
MOST = {
    "AutoContrast": 0.01,
    "Brightness": 0.001,
    "Color": 0.001,
    "Contrast": 0.001,
    "Equalize": 0.0,
    "Identity": 0.0,
    "Posterize": 0.0,
    "Rotate": 0.01,
    "Sharpness": 0.001,
    "ShearX": 0.01,
    "ShearY": 0.01,
    "Solarize": 0.0,
    "TranslateX": 0.01,
    "TranslateY": 0.01,
}

distort = jax.jit(distorted)


def pictures():
    """Noise, a soft ramp of narrow range, a picture of two values, one gray, and one colour."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(40, 180, SIZE)[:, None, None] + rng.integers(0, 30, (SIZE, SIZE, 3))
    return [
        rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8),
        ramp.astype(np.uint8),
        rng.choice(np.array([3, 250], np.uint8), (SIZE, SIZE, 3)),
        np.full((SIZE, SIZE, 3), 77, np.uint8),
        np.full((SIZE, SIZE, 3), (9, 70, 200), np.uint8),
    ]


def magnitudes(operation):
    """Both ends, both signs, and some between, as single precision has them."""
    rng = np.random.default_rng(1)
    low = -operation.high if operation.signed else operation.low
    return np.array([low, operation.high, *rng.uniform(low, operation.high, 5)], np.float32)


def by_pillow(place, image, magnitude):
    return np.asarray(OPERATIONS[place].apply(Image.fromarray(image), float(magnitude)))


def alone(name, image, magnitude):
    """One image by one operation."""
    return np.asarray(distort(image[None], np.array([PLACE[name]]), np.float32([magnitude])))[0]


@pytest.fixture(scope="module")
def results():
    """What became of every picture by every operation: all in one batch of mixed operations."""
    cases = [
        (place, image, magnitude)
        for image in pictures()
        for place, operation in enumerate(OPERATIONS)
        for magnitude in magnitudes(operation)
    ]
    which, images, magnitude = (np.array(column) for column in zip(*cases, strict=True))
    return cases, np.asarray(distort(images, which, magnitude))


@pytest.mark.parametrize("name", list(MOST))
def test_an_operation_is_pillow_s(results, name):
    differences = [
        np.abs(found.astype(int) - by_pillow(*case)).mean()
        for case, found in zip(*results, strict=True)
        if OPERATIONS[case[0]].name == name
    ]
    assert len(differences) == 35
    assert np.mean(differences) <= MOST[name]


@pytest.mark.parametrize("names", [("Identity",), ("Sharpness",), ("Color", "Rotate"), TABLES])
def test_an_image_s_result_does_not_depend_on_what_the_others_draw(results, names):
    """Steps that nobody draws are left out; that changes nothing."""
    cases, found = results
    chosen = [i for i, case in enumerate(cases) if OPERATIONS[case[0]].name in names]
    # Of the same shape as before, that it be compiled once.
    padded = np.resize(chosen, len(cases))
    which, images, magnitude = (np.array([cases[i][k] for i in padded]) for k in range(3))
    np.testing.assert_array_equal(distort(images, which, magnitude), found[padded])


def test_autocontrast_makes_the_lightest_value_white():
    """Pillow's own comes out as 254 for some ranges, by the rounding of its scale."""
    ramp = np.arange(40, 40 + SIZE * SIZE, dtype=np.int64).reshape(SIZE, SIZE) % 93 + 40
    image = np.repeat(ramp[..., None], 3, axis=-1).astype(np.uint8)
    found = alone("AutoContrast", image, 1.0)
    assert (found.min(), found.max()) == (0, 255)
    np.testing.assert_array_equal(found, (image.astype(int) - 40) * 255 // 92)


def test_the_border_of_a_sharpened_picture_stays():
    image = pictures()[0]
    changed = (alone("Sharpness", image, 0.3) != image).any(-1)
    assert not changed[[0, -1]].any() and not changed[:, [0, -1]].any()
    assert changed[1:-1, 1:-1].mean() > 0.9
