"""What each rule chooses, beside loops over everything that follow its words."""

import numpy as np
import pytest

from jaxclr.search.selection import RULES, Trial, choose

TARGETS = ("day", "dusk", "night")
SEEDS = (3, 1)


def trials(draws=6, targets=TARGETS, seeds=SEEDS, missing=0.0, levels=1000, seed=0):
    """Imaginary runs; the fewer the levels, the more accuracies are equal."""
    rng = np.random.default_rng(seed)
    return [
        Trial(d, t, s, *(float(x) for x in rng.integers(levels, size=3) / 10))
        for d in range(draws)
        for t in targets
        for s in seeds
        if rng.random() >= missing
    ]


def by_loops(trials, rule, target, seed, targets=TARGETS):
    """The chosen draw, its score, how many are tied and compared; by the rule's words."""
    found = []
    for number in range(100):
        own = [x for x in trials if (x.draw, x.target, x.seed) == (number, target, seed)]
        if not own:
            continue
        if rule == "source":
            found.append((number, own[0].held_back))
        if rule == "labeled":
            found.append((number, own[0].labeled))
        if rule == "oracle":
            found.append((number, own[0].accuracy))
        if rule == "leave_one_out":
            total, count = 0.0, 0
            for other in targets:
                for x in trials:
                    if other != target and (x.draw, x.target, x.seed) == (number, other, seed):
                        total, count = total + x.accuracy, count + 1
            if count == len(targets) - 1 > 0:
                found.append((number, total / count))
    winner = None
    for number, score in found:
        if winner is None or score > winner[1] + 1e-9:
            winner = (number, score)
    if winner is None:
        return None
    tied = sum(abs(score - winner[1]) < 1e-9 for _, score in found)
    return winner[0], pytest.approx(winner[1]), tied, len(found)


@pytest.mark.parametrize("rule", ["source", "labeled", "leave_one_out", "oracle"])
@pytest.mark.parametrize("missing", [0.0, 0.4])
@pytest.mark.parametrize("levels", [1000, 3])
def test_a_rule_chooses_what_loops_over_all_draws_find(rule, missing, levels):
    for seed in range(8):
        runs = trials(missing=missing, levels=levels, seed=seed)
        chosen = {(c.target, c.seed): c for c in choose(runs, rule, TARGETS)}
        for target in TARGETS:
            for s in SEEDS:
                expected = by_loops(runs, rule, target, s)
                c = chosen.get((target, s))
                assert (c and (c.draw, c.score, c.tied, c.compared)) == expected
                if c:
                    (own,) = [x for x in runs if x[:3] == (c.draw, target, s)]
                    assert c.accuracy == own.accuracy
                    assert c.rule == rule


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_the_runs_is_of_no_matter(rule):
    runs = trials(missing=0.2, levels=4)
    shuffled = [runs[i] for i in np.random.default_rng(1).permutation(len(runs))]
    assert choose(shuffled, rule, TARGETS) == choose(runs, rule, TARGETS)


@pytest.mark.parametrize("rule", ["source", "labeled", "leave_one_out"])
def test_the_targets_own_accuracies_have_no_say_but_for_the_oracle(rule):
    """Of night, all are turned upside down."""
    runs = trials(seed=5)
    turned = [
        x._replace(accuracy=100 - x.accuracy) if x.target == "night" else x for x in runs
    ]  # fmt: skip

    def of_night(runs, rule):
        return [c.draw for c in choose(runs, rule, TARGETS) if c.target == "night"]

    assert of_night(turned, rule) == of_night(runs, rule)
    assert of_night(turned, "oracle") != of_night(runs, "oracle")


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_does_better_than_the_oracle(rule):
    runs = trials(seed=2)
    best = {(c.target, c.seed): c.accuracy for c in choose(runs, "oracle", TARGETS)}
    for c in choose(runs, rule, TARGETS):
        assert c.accuracy <= best[c.target, c.seed]


def test_without_a_choice_draw_0_is_taken_and_no_other():
    runs = trials()
    chosen = choose(runs, "default", TARGETS)
    assert [(c.target, c.seed) for c in chosen] == [(t, s) for t in TARGETS for s in (1, 3)]
    assert {(c.draw, c.score, c.tied, c.compared) for c in chosen} == {(0, None, 1, 1)}
    assert choose([x for x in runs if x.draw], "default", TARGETS) == []


def test_where_nothing_is_held_back_or_no_other_target_is_there_nothing_is_chosen():
    runs = [x._replace(held_back=None) for x in trials()]
    assert choose(runs, "source", TARGETS) == []
    assert len(choose(runs, "labeled", TARGETS)) == len(TARGETS) * len(SEEDS)
    alone = trials(targets=("day",))
    assert choose(alone, "leave_one_out", ("day",)) == []
    assert len(choose(alone, "source", ("day",))) == len(SEEDS)
