"""The harness of the benchmarks, with contestants that only wait; torch is not needed."""

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
WAITERS = """
import time
from measure import Work

def wait(*, seconds):
    done = []

    def run(steps):
        time.sleep(seconds * steps)
        done.append(steps)

    return Work(run, lambda: {"done": done})

def fail():
    raise ValueError("no such thing")
"""


def module(name):
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


measure, findings = module("measure"), module("findings")


@pytest.fixture
def waiters(tmp_path, monkeypatch):
    (tmp_path / "waiters.py").write_text(WAITERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def times(*walls):
    return [measure.Times(wall, 2 * wall) for wall in walls]


def test_a_ratio_is_of_each_round_and_not_of_medians():
    found = measure.ratios(times(2, 9, 4), times(1, 3, 4), "wall")
    assert found == measure.Spread(2, 1, 3)
    assert measure.ratios(times(2, 9, 4), times(1, 3, 4), "cpu") == found


def test_sides_with_unequally_many_rounds_have_no_ratio():
    with pytest.raises(ValueError):
        measure.ratios(times(1, 2), times(1), "wall")


def test_a_turn_is_filled_with_steps_but_has_at_least_one():
    assert measure.steps_for(0.5, measure.Times(0.1, 0.1)) == 5
    assert measure.steps_for(0.5, measure.Times(20.0, 20.0)) == 1
    assert measure.steps_for(0.5, measure.Times(0.0, 0.0), most=7) == 7


def test_contestants_take_turns_in_processes_of_their_own(waiters):
    racers = [
        measure.Contestant(str(s), "waiters:wait", threads=1, seconds=s) for s in (0.01, 0.03)
    ]
    with measure.together(racers):
        found = measure.race(racers, 3, turn=0.03, most=2)
        told = [racer.tell()["done"] for racer in racers]
    # The first call, the one that says how many fill a turn, and three turns.
    assert [len(done) for done in told] == [5, 5]
    assert measure.ratios(found["0.03"], found["0.01"], "wall").median > 1.5
    # Sleeping takes time of the clock alone.
    assert all(t.cpu < t.wall / 2 for t in found["0.03"])


def test_a_contestant_tells_why_it_failed(waiters):
    with (
        measure.Contestant("x", "waiters:fail", threads=1) as racer,
        pytest.raises(measure.ContestantError, match="no such thing"),
    ):
        racer.ready()


def test_a_contestant_that_takes_too_long_is_ended(waiters):
    with measure.Contestant("x", "waiters:wait", threads=1, seconds=0.01) as racer:
        racer.ready()
        with pytest.raises(measure.TooSlow):
            racer.steps(3000, 0.05)


@pytest.mark.parametrize(
    ("median", "at_least", "reached"), [(1.2, True, True), (0.9, True, False), (0.9, False, True)]
)
def test_a_finding_is_judged_by_its_median(median, at_least, reached):
    value = measure.Spread(median, 0.1, 9.0)
    finding = findings.Finding("speed", value, reach=1.0, at_least=at_least)
    assert finding.reached is reached
    assert findings.line(finding).endswith("; reached]") is reached


def test_what_nothing_is_asked_of_is_told_and_not_judged():
    finding = findings.Finding("memory", measure.Spread(3.0, 3.0, 3.0), "MiB")
    assert findings.line(finding) == "memory: 3.00 MiB"
    assert findings.judged([finding]) == ""


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.0123, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234")],
)  # fmt: skip
def test_figures_have_three_digits(value, told):
    assert findings.number(value) == told


def test_a_section_fills_the_place_between_its_markers_and_nothing_else():
    text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"
    section = json.loads(
        json.dumps(findings.measured("x", lambda: findings.Section([], "new", {})))
    )
    filled = findings.filled(text, {"x": section})
    assert filled.startswith("a\n<!-- x: begin -->\nMeasured on ")
    assert filled.endswith("\n\nnew\n<!-- x: end -->\nb\n")
    assert "old" not in filled
    assert findings.filled(filled, {"x": section}) == filled


def test_a_section_without_a_place_is_refused():
    section = findings.measured("x", lambda: findings.Section([], "new", {}))
    with pytest.raises(ValueError, match="markers"):
        findings.filled("<!-- x: end --><!-- x: begin -->", {"x": section})


def test_the_readme_has_a_place_for_every_section():
    text = (BENCHMARKS / "README.md").read_text()
    section = findings.measured("x", lambda: findings.Section([], "new", {}))
    for name in ("steps", "losses", "fixed", "growth"):
        assert findings.filled(text, {name: section}) != text
