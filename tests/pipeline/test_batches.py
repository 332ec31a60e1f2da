import collections
import itertools
import multiprocessing
import os
import signal

import numpy as np
import pytest
from toy import Toy

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.batches import Batches, read_ahead
from jaxclr.pipeline.split import Split, draw_split
from jaxclr.types import Batch

AUGMENT = Augment(size=16)


def make(
    seed=1,
    steps=12,
    batch=4,
    ratio=2,
    labels=5,
    sources=None,
    split=None,
    second=False,
    **more,
) -> Batches:
    collection = Toy().load()
    sources = sources or collection.domains[:2]
    split = split or draw_split(sources, collection.classes, labels_per_class=labels, seed=seed)
    return Batches(
        sources, split, AUGMENT, seed=seed, steps=steps, batch_per_domain=batch,
        unlabeled_ratio=ratio, second=second, **more,
    )  # fmt: skip


def shown(stream, step, domain) -> list[int]:
    """Which images of a domain a step sees."""
    return stream.indices[domain][stream.at(1, step)[domain]].tolist()


def assert_same(one: Batch, other: Batch) -> None:
    for a, b in zip(itertools.chain(*one), itertools.chain(*other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_domain_varies_fastest_and_every_domain_has_its_share():
    batch = make()[0]
    np.testing.assert_array_equal(batch.labeled.domain, [0, 1] * 4)
    np.testing.assert_array_equal(batch.unlabeled.domain, [0, 1] * 8)
    assert batch.labeled.weak.shape == (8, 16, 16, 3)
    assert batch.unlabeled.strong.shape == (16, 16, 16, 3)


def test_labels_are_those_of_the_images_shown():
    """With views that change nothing, a view is found among the images of its label."""
    batches = make()
    batches.augment = Augment(size=16, flip=0.0, translate=0.0, operations=0, cutout=0)
    for views in batches[3]:
        for image, label, domain in zip(views.strong, views.label, views.domain, strict=True):
            source = batches.sources[domain]
            where = [i for i, known in enumerate(source.images) if np.array_equal(known, image)]
            assert [source.label[i] for i in where] == [label]


def test_labeled_and_unlabeled_images_are_those_of_the_split():
    batches = make(steps=40)
    for domain in range(2):
        for stream, chosen in ((batches.labeled, "labeled"), (batches.unlabeled, "unlabeled")):
            seen = {i for step in range(40) for i in shown(stream, step, domain)}
            split = draw_split(batches.sources, Toy().load().classes, labels_per_class=5, seed=1)
            assert seen == set(getattr(split, chosen)[domain].tolist())


def test_an_epoch_shows_no_image_twice_and_ends_with_the_smallest_domain():
    """As the protocol's sampler does: the larger domain's tail is left out until reshuffled."""
    batches = make()
    split = Split(
        labeled=(np.arange(4), np.arange(4)), unlabeled=(np.arange(4, 15), np.arange(4, 36))
    )
    stream = make(ratio=1, split=split, sources=batches.sources).unlabeled
    assert stream.epoch_steps == 11 // 4
    for domain, left_out in ((0, 3), (1, 24)):
        first = [i for step in range(2) for i in shown(stream, step, domain)]
        second = [i for step in range(2, 4) for i in shown(stream, step, domain)]
        assert len(set(first)) == 8 == len(split.unlabeled[domain]) - left_out
        assert first != second


def test_over_many_epochs_every_image_is_seen_as_often():
    stream = make(ratio=1).labeled
    counts = collections.Counter(i for step in range(900) for i in shown(stream, step, 0))
    assert len(counts) == 15
    # 900 steps x 4 of 15 images: 240 each, +- 5 standard deviations of the left-out tails.
    assert max(abs(count - 240) for count in counts.values()) < 5 * np.sqrt(300 * 0.16)


def test_a_batch_depends_on_seed_and_step_alone():
    assert_same(make()[7], make()[7])
    assert not np.array_equal(make()[7].labeled.weak, make()[8].labeled.weak)
    assert not np.array_equal(make(seed=1)[7].labeled.weak, make(seed=2)[7].labeled.weak)
    batches = make()
    last_first = [batches[step] for step in (9, 2)]
    assert_same(last_first[1], make()[2])


def test_views_of_one_image_in_two_places_differ():
    """Draws are keyed by place, not by image."""
    split = Split((np.array([0, 0]),) * 2, (np.array([0] * 4),) * 2)
    batch = make(batch=2, ratio=2, split=split)[0]
    assert not np.array_equal(batch.unlabeled.strong[0], batch.unlabeled.strong[2])
    assert not np.array_equal(batch.labeled.strong[0], batch.unlabeled.strong[0])


def test_every_image_has_a_number_of_its_own_over_all_domains():
    batches = make()
    numbers = {}
    for step in range(12):
        for views, chosen in zip(batches[step], ("labeled", "unlabeled"), strict=True):
            stream = getattr(batches, chosen)
            for e, number in enumerate(views.number.tolist()):
                domain, place = e % 2, e // 2
                image = (domain, shown(stream, step, domain)[place])
                assert numbers.setdefault((chosen, number), image) == image
    counts = {c: sum(of == c for of, _ in numbers) for c in ("labeled", "unlabeled")}
    assert counts == {"labeled": 30, "unlabeled": 42}
    assert len(set(numbers.values())) == 72
    assert {n for of, n in numbers if of == "unlabeled"} == set(range(42))


@pytest.mark.parametrize("augment", [AUGMENT, Augment(size=16, where="device")])
def test_parts_of_a_batch_joined_are_the_whole_batch_to_the_last_pixel(augment):
    """Rows as three processes would make them; each reads the images of its rows alone."""
    batches = make(second=augment is AUGMENT)
    batches.augment = augment
    parts = []
    for rows in (slice(0, 1), slice(1, 2), slice(2, 4)):
        part = make(second=augment is AUGMENT, rows=rows)
        part.augment = augment
        parts.append(part[5])
    for whole, *pieces in zip(batches[5], *parts, strict=True):
        for field, piece in zip(whole, zip(*pieces, strict=True), strict=True):
            if field is None:
                assert piece == (None,) * 3
            else:
                np.testing.assert_array_equal(np.concatenate(piece), field)


def test_a_second_strong_view_is_drawn_for_itself_and_changes_no_other():
    one, both = make()[3], make(second=True)[3]
    assert one.labeled.second is None
    for few, more in zip(one, both, strict=True):
        np.testing.assert_array_equal(few.strong, more.strong)
        np.testing.assert_array_equal(few.weak, more.weak)
        same = [np.array_equal(a, b) for a, b in zip(more.strong, more.second, strict=True)]
        assert not all(same)


@pytest.mark.parametrize("threads, workers", [(0, 0), (4, 0), (1, 2)])
def test_threads_and_workers_change_nothing_wherever_a_run_starts(threads, workers):
    batches = make()
    stream = read_ahead(batches, 5, threads=threads, workers=workers)
    read = list(stream)
    assert len(read) == 7
    for step, batch in enumerate(read, 5):
        assert_same(Batch(*batch), batches[step])


class Deadly(tuple):
    """Images, one of which ends any process but the first that reads it."""

    def __getitem__(self, index):
        if index == 7 and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def test_a_process_that_the_system_ends_is_told_with_the_image_that_it_was_reading():
    day, dusk = Toy().load().domains[:2]
    fatal = dusk._replace(
        images=Deadly(dusk.images), paths=tuple(f"{path}\x1b" for path in dusk.paths)
    )
    batches = make(sources=(day, fatal), steps=40)
    streams = (batches.labeled, batches.unlabeled)
    shows = [any(7 in shown(stream, s, 1) for stream in streams) for s in range(40)]
    step = shows.index(True, 3)
    start = step - 1 if not shows[step - 1] else step
    read = read_ahead(batches, start, workers=1)
    name = rf"{dusk.paths[7]}\\x1b"
    told = rf"ended \(SIGKILL\) while it read {name}, for step {step}\..*--workers"
    with pytest.raises(JaxclrError, match=told):
        for expected, batch in enumerate(read, start):
            assert expected < step
            assert_same(Batch(*batch), batches[expected])


def test_a_domain_smaller_than_its_batch_is_named():
    with pytest.raises(InputError, match=r"'day' has 21 unlabeled images.*takes 22.*batch-per-dom"):
        make(batch=11, ratio=2)


def test_steps_past_the_end_are_refused():
    batches = make(steps=3)
    with pytest.raises(IndexError):
        batches[3]
