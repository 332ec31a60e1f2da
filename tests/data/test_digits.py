"""The digits are the same everywhere, no scan is used twice, and polygons fill as they should."""

import collections
import os
import pickle
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxclr.data.digits import Digits, checksum, contact_sheet, pixels
from jaxclr.data.digits_glyphs import FONTS, coverage, font_digits
from jaxclr.data.digits_render import enlarged, wave

PRINT_CHECKSUMS = """
from jaxclr.data.digits import Digits, checksum
for name in Digits.domains:
    print(name, checksum(name))
"""


@pytest.fixture(scope="module")
def domains():
    return {domain.name: domain for domain in Digits().load().domains}


def polygon(*points):
    """Directed edges of one closed contour."""
    return np.array([*zip(points, (*points[1:], points[0]), strict=True)], float)


def shoelace(edges):
    """Signed area within closed contours, by the formula of Gauss."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in edges.tolist()) / 2


def by_angle(edges, x, y):
    """Winding number of one point: the angle under which it sees the contours, in turns."""
    start, end = (edges[:, k, 0] - x + 1j * (edges[:, k, 1] - y) for k in (0, 1))
    return round(float(np.angle(end / start).sum() / (2 * np.pi)))


def dispatched():
    """What numpy chooses at run time on this machine; it may all be switched off."""
    from numpy._core import _multiarray_umath as core

    return [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]


def test_there_are_ten_classes_in_four_domains():
    collection = Digits().load()
    assert collection.classes == tuple("0123456789")
    assert tuple(domain.name for domain in collection.domains) == Digits.domains
    assert Digits().name == "digits"


@pytest.mark.parametrize("name", Digits.domains)
def test_a_domain_has_as_many_images_of_each_class_as_the_card_says(domains, name):
    count = np.bincount(domains[name].label, minlength=10)
    shown = np.bincount(load_digits().target) / 3
    expected = np.full(10, 60) if name == "print" else shown
    assert count.sum() == Digits.counts[name] == len(domains[name].paths)
    assert np.all(np.abs(count - expected) < 1)


def test_each_scan_is_used_in_one_domain_only(domains):
    names = ("scan", "texture", "outline")
    used = [int(path[-8:-4]) for name in names for path in domains[name].paths]
    assert sorted(used) == list(range(1797))


def test_scans_keep_the_label_that_their_data_set_gives_them(domains):
    target = load_digits().target
    for name in ("scan", "texture", "outline"):
        number = [int(path[-8:-4]) for path in domains[name].paths]
        np.testing.assert_array_equal(domains[name].label, target[number])


@pytest.mark.parametrize("name", Digits.domains)
def test_paths_are_sorted_and_name_domain_and_class(domains, name):
    domain = domains[name]
    assert list(domain.paths) == sorted(set(domain.paths))
    assert all(
        path.startswith(f"{name}/{label}/")
        for path, label in zip(domain.paths, domain.label, strict=True)
    )
    assert domain.label.dtype == np.int32
    assert domain.train.all()


@pytest.mark.parametrize("name", Digits.domains)
def test_images_are_read_only_rgb_of_32_pixels(domains, name):
    images = domains[name].images
    assert len(images) == len(domains[name].paths)
    for index in (0, len(images) - 1):
        assert images[index].shape == (32, 32, 3)
        assert images[index].dtype == np.uint8
        assert not images[index].flags.writeable
    with pytest.raises(IndexError):
        images[len(images)]


@pytest.mark.parametrize("name", Digits.domains)
def test_images_are_those_of_the_card(name):
    # Renew with `python -m jaxclr.data.digits`, only where the images are meant to change.
    assert checksum(name) == Digits.checksums[name]


@pytest.mark.skipif(not dispatched(), reason="numpy has nothing to switch off here")
def test_another_process_on_a_plainer_processor_makes_the_same_images():
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(dispatched())}
    output = subprocess.run(
        [sys.executable, "-c", PRINT_CHECKSUMS],
        **{"env": environment, "check": True, "capture_output": True, "text": True},
    ).stdout
    assert dict(line.split() for line in output.splitlines()) == dict(Digits.checksums)


def test_images_are_pickled_by_name(domains):
    for domain in domains.values():
        pickled = pickle.dumps(domain.images)
        assert len(pickled) < 200
        np.testing.assert_array_equal(pickle.loads(pickled)[7], domain.images[7])


def test_no_two_images_are_alike():
    every = np.concatenate([pixels(name) for name in Digits.domains])
    assert len({image.tobytes() for image in every}) == sum(Digits.counts.values())


def test_domains_differ_in_colour_and_in_polarity():
    def saturation(name):
        return np.ptp(pixels(name).astype(int), axis=-1).mean()

    def border(name):
        return pixels(name)[:, 0].mean()

    assert saturation("scan") == saturation("print") == 0
    assert saturation("outline") > 15
    assert saturation("texture") > 40
    assert border("scan") < 20
    assert 90 < border("texture") < 165
    assert min(border("outline"), border("print")) > 170


def test_a_plain_scan_averages_back_to_what_was_scanned(domains):
    number = [int(path[-8:-4]) for path in domains["scan"].paths]
    given = load_digits().images[number]
    # 26 pixels show 8; the eight blocks of 3 pixels lie in the middle of those.
    centre = np.rint(16 + 3.25 * (np.arange(8) - 3.5) - 0.5).astype(int)
    read = pixels("scan")[:, centre][:, :, centre, 0]
    assert np.corrcoef(read.ravel(), given.ravel())[0, 1] > 0.97


def test_the_digit_can_be_told_from_its_texture(domains):
    number = [int(path[-8:-4]) for path in domains["texture"].paths]
    pen = enlarged(load_digits().images[number].astype(np.uint8), 3.25)
    explained = [
        max(abs(np.corrcoef(shape.ravel(), picture[..., c].ravel())[0, 1]) for c in range(3))
        for shape, picture in zip(pen, pixels("texture"), strict=True)
    ]
    assert np.median(explained) > 0.6
    assert np.mean(np.array(explained) > 0.3) > 0.97


def test_an_outline_is_light_inside_the_stroke_and_dark_at_its_rim(domains):
    number = [int(path[-8:-4]) for path in domains["outline"].paths]
    pen = enlarged(load_digits().images[number].astype(np.uint8), 3.25)
    grey = pixels("outline").mean(axis=-1)
    rim, inside, outside = (np.abs(pen - 0.5) < 0.1), pen > 0.97, pen < 0.01
    assert grey[rim].mean() + 50 < grey[inside].mean()
    assert grey[rim].mean() + 70 < grey[outside].mean()


def test_every_font_prints_every_class_three_times(domains):
    printed = collections.Counter(
        (path.split("/")[1], path.split("/")[2].rsplit("_", 1)[0])
        for path in domains["print"].paths
    )
    assert printed == {(str(digit), font): 3 for digit in range(10) for font in FONTS}
    ink = pixels("print")[..., 0]
    darker = ink < ink.max(axis=(1, 2), keepdims=True) * 0.7
    assert np.all(darker.mean(axis=(1, 2)) > 0.02)


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([(2, 3), (6, 3), (6, 5), (2, 5)], 8),
        ([(1, 1), (7, 1), (1, 7)], 18),
        ([(-4, 2), (4, 2), (4, 4), (-4, 4)], 8),
    ],
)
def test_a_polygon_covers_its_area_within_the_picture(points, area):
    assert coverage(polygon(*points), 8, samples=16).sum() == pytest.approx(area, abs=0.2)


def test_a_square_on_whole_pixels_fills_just_those():
    expected = np.zeros((8, 8))
    expected[3:5, 2:6] = 1
    np.testing.assert_array_equal(coverage(polygon((2, 3), (6, 3), (6, 5), (2, 5)), 8), expected)


def test_a_contour_that_turns_the_other_way_is_a_hole_and_one_that_does_not_is_none():
    square = polygon((1, 1), (7, 1), (7, 7), (1, 7))
    hole = polygon((3, 3), (3, 5), (5, 5), (5, 3))
    assert coverage(np.concatenate([square, hole]), 8).sum() == 36 - 4
    assert coverage(np.concatenate([square, hole[:, ::-1]]), 8).sum() == 36


def test_nothing_covers_nothing():
    assert coverage(np.zeros((0, 2, 2)), 8).sum() == 0


@pytest.mark.parametrize("font", ["DejaVuSerif", "STIXGeneralItalic", "cmr10"])
def test_glyphs_are_filled_as_angles_and_areas_say(font):
    for digit in (0, 4, 8):
        edges = 26 * font_digits(font)[digit] + 16.013
        covered = coverage(edges, 32, samples=16)
        assert covered.sum() == pytest.approx(abs(shoelace(edges)), rel=0.02)
        centre = np.arange(32) + 0.5
        inside = [[by_angle(edges, x, y) != 0 for x in centre] for y in centre]
        # One probe per pixel lies in its middle.
        np.testing.assert_array_equal(coverage(edges, 32, samples=1) > 0, inside)


def test_glyphs_are_centred_and_one_high():
    for font in FONTS:
        for edges in font_digits(font):
            low, high = edges.min(axis=(0, 1)), edges.max(axis=(0, 1))
            np.testing.assert_allclose(low, -high, atol=1e-12)
            assert high[1] - low[1] == pytest.approx(1)


def test_a_wave_is_close_to_a_cosine():
    turns = np.linspace(-2, 2, 101)
    np.testing.assert_allclose(wave(turns), 0.5 + 0.5 * np.cos(2 * np.pi * turns), atol=0.02)


def test_the_contact_sheet_is_a_picture(tmp_path):
    contact_sheet(str(tmp_path / "digits.png"))
    assert matplotlib.image.imread(tmp_path / "digits.png").shape[:2] == (780, 1500)
