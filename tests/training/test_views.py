"""Views made on the device: drawn as the host draws them, and made as Pillow makes them."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.operations import OPERATIONS
from jaxclr.training.layout import make_layout
from jaxclr.training.views import (
    Shift,
    device_views,
    holed,
    of_places,
    plan_of,
    shift_of,
    strong,
    windows,
)  # fmt: skip
from jaxclr.types import Batch, Views

N, DRAWS = 2, 8000
KEY = jax.random.key(3)


def even(counts):
    """As chi-square would have it of a uniform draw: four deviations above its mean at most."""
    expected, freedom = np.mean(counts), np.size(counts) - 1
    return ((counts - expected) ** 2 / expected).sum() < freedom + 4 * np.sqrt(2 * freedom)


def uniform(draws, low, high):
    """By Kolmogorov and Smirnov's distance, which a fair draw exceeds once in a thousand."""
    draws = np.sort(draws)
    inside = low <= draws[0] and draws[-1] <= high
    ranks = (np.arange(len(draws)) + 0.5) / len(draws)
    return inside and np.abs((draws - low) / (high - low) - ranks).max() < 1.95 / len(draws) ** 0.5


def fair(hits, chance):
    return abs(np.sum(hits) - np.size(hits) * chance) <= 4 * np.sqrt(
        np.size(hits) * chance * (1 - chance)
    )


def squares(count, size=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


def plain():
    """A batch as the host sends it: eight rows of two domains, labeled, and of four, not."""

    def views(count, seed):
        numbers = np.arange(count, dtype=np.int32)
        return Views(squares(count, seed=seed), None, numbers, numbers % N, numbers)

    return Batch(views(16, 0), views(32, 1))


@functools.cache
def maker(second=True):
    augment = Augment(size=16, cutout=4)
    return jax.jit(lambda batch, key: device_views(augment, batch, key, N, second=second))


@pytest.fixture(scope="module")
def plan():
    keys = of_places(KEY, DRAWS)
    return jax.tree.map(np.asarray, jax.jit(lambda k: plan_of(Augment(size=16), k))(keys))


@pytest.fixture(scope="module")
def shift():
    keys = of_places(KEY, DRAWS)
    return jax.tree.map(np.asarray, jax.jit(lambda k: shift_of(Augment(size=32), k))(keys))


def test_every_operation_is_as_frequent_and_the_second_does_not_heed_the_first(plan):
    pairs = np.bincount(plan.which[:, 0] * 14 + plan.which[:, 1], minlength=14**2)
    assert len(pairs) == 14**2
    assert even(pairs)
    assert even(np.bincount(plan.which.ravel(), minlength=14))


@pytest.mark.parametrize("place", range(14), ids=[o.name for o in OPERATIONS])
def test_magnitudes_are_uniform_over_the_operation_s_range_with_a_fair_sign(plan, place):
    operation = OPERATIONS[place]
    low = -operation.high if operation.signed else operation.low
    for slot in range(2):
        drawn = plan.magnitude[:, slot][plan.which[:, slot] == place]
        assert len(drawn) > 400
        assert uniform(drawn, low, operation.high)


def test_the_hole_is_anywhere_and_half_of_the_views_are_mirrored(plan):
    assert even(np.bincount(plan.row * 16 + plan.column, minlength=256))
    assert fair(plan.flips, 0.5)
    assert fair(plan.flips & (plan.row < 8), 0.25)


def test_windows_begin_anywhere_in_the_enlarged_image_for_half_of_the_views(shift):
    assert even(np.bincount(shift.left * 5 + shift.top, minlength=25))
    assert fair(shift.moves, 0.5) and fair(shift.flips, 0.5)
    assert fair(shift.moves & shift.flips, 0.25)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_what_never_or_always_happens_does_so(chance):
    augment, keys = Augment(size=16, flip=chance, translate=chance), of_places(KEY, 500)
    drawn, plan = jax.jit(lambda k: (shift_of(augment, k), plan_of(augment, k)))(keys)
    assert (drawn.flips == chance).all() and (drawn.moves == chance).all()
    assert (plan.flips == chance).all()


@pytest.mark.parametrize("size", [16, 18])
def test_a_window_is_pillow_s_to_the_bit(size):
    images, enlarged = squares(30, size), round(size * 1.125)
    rng = np.random.default_rng(4)
    left, top = rng.integers(enlarged - size + 1, size=(2, 30))
    moves, flips = rng.random((2, 30)) < 0.7
    found = jax.jit(windows)(images, Shift(*map(jnp.asarray, (moves, left, top, flips))))
    for i, image in enumerate(images):
        view = Image.fromarray(image)
        if moves[i]:
            view = view.resize((enlarged, enlarged), Image.Resampling.BILINEAR)
            view = view.crop((left[i], top[i], left[i] + size, top[i] + size))
        expected = np.asarray(view)[:, ::-1] if flips[i] else np.asarray(view)
        np.testing.assert_array_equal(found[i], expected)


@pytest.mark.parametrize("side", [0, 1, 4, 5, 40])
def test_the_hole_is_a_square_clipped_at_the_border(side):
    rng = np.random.default_rng(5)
    images, (row, column) = squares(20) | 1, rng.integers(16, size=(2, 20))
    found = np.asarray(holed(*map(jnp.asarray, (images, row, column)), side))
    for e in range(20):
        for y in range(16):
            for x in range(16):
                down, right = y - (row[e] - side // 2), x - (column[e] - side // 2)
                inside = 0 <= down < side and 0 <= right < side
                assert inside == (found[e, y, x] == 0).all()
                assert inside or (found[e, y, x] == images[e, y, x]).all()


def test_a_strong_view_is_pillow_s_by_the_same_draws():
    """Mirrored, then distorted in turn, then with a hole in it."""
    augment = Augment(size=16, operations=3, cutout=6)
    images, keys = squares(40), of_places(KEY, 40)
    plan = jax.tree.map(np.asarray, jax.jit(lambda k: plan_of(augment, k))(keys))
    expected = []
    for i, image in enumerate(images):
        view = Image.fromarray(np.ascontiguousarray(image[:, ::-1] if plan.flips[i] else image))
        for slot in range(3):
            operation = OPERATIONS[int(plan.which[i, slot])]
            view = operation.apply(view, float(plan.magnitude[i, slot]))
        pixels, (top, left) = np.array(view), (int(plan.row[i]) - 3, int(plan.column[i]) - 3)
        pixels[max(top, 0) : top + 6, max(left, 0) : left + 6] = 0
        expected.append(pixels)
    found = jax.jit(lambda x, k: strong(augment, x, k))(images, keys)
    assert np.abs(found.astype(int) - np.stack(expected)).mean() < 0.05
    assert (found == np.stack(expected)).all((1, 2, 3)).mean() > 0.9


def test_the_same_key_gives_the_same_views_and_another_step_s_others():
    batch = plain()
    one, again, other = (maker()(batch, jax.random.key(step)) for step in (3, 3, 4))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    for views, others in zip(one, other, strict=True):
        assert not np.array_equal(views.strong, others.strong)
        assert not np.array_equal(views.weak, others.weak)


def test_every_view_of_every_place_is_drawn_for_itself():
    same = [np.repeat(squares(1), len(views.label), axis=0) for views in plain()]
    batch = Batch(*(views._replace(weak=x) for views, x in zip(plain(), same, strict=True)))
    seen = maker()(batch, KEY)
    shown = [view for views in seen for field in (views.strong, views.second) for view in field]
    assert len({np.asarray(view).tobytes() for view in shown}) == len(shown) == 96


def test_what_is_drawn_of_a_place_does_not_depend_on_how_many_there_are():
    few, more = (jax.random.key_data(of_places(KEY, count)) for count in (4, 9))
    np.testing.assert_array_equal(few, more[:4])


def test_a_second_strong_view_is_made_where_asked_and_changes_no_other():
    one, both = maker(second=False)(plain(), KEY), maker()(plain(), KEY)
    for few, more, given in zip(one, both, plain(), strict=True):
        assert few.second is None and more.second is not None
        np.testing.assert_array_equal(few.weak, more.weak)
        np.testing.assert_array_equal(few.strong, more.strong)
        np.testing.assert_array_equal(few.label, given.label)


def test_the_views_of_an_image_stay_with_its_label():
    """With settings that change nothing, views are the squares, each in its place."""
    still = Augment(size=16, flip=0.0, translate=0.0, operations=0, cutout=0)
    seen = jax.jit(lambda batch: device_views(still, batch, KEY, N, second=True))(plain())
    for made, given in zip(seen, plain(), strict=True):
        for field in (made.weak, made.strong, made.second):
            np.testing.assert_array_equal(field, given.weak)


def test_eight_devices_make_the_views_that_one_makes_and_exchange_none():
    layout = make_layout(8)
    spread = maker(second=False).lower(layout.put_batch(plain()), KEY).compile()
    eight = spread(layout.put_batch(plain()), KEY)
    jax.tree.map(np.testing.assert_array_equal, eight, maker(second=False)(plain(), KEY))
    assert len(eight.labeled.strong.sharding.device_set) == 8
    assert not re.search("all-to-all|collective-permute|all-gather", spread.as_text())
