"""What is drawn, beside scipy's distributions, and what a file of distributions may say."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from toy import toy_experiment

from jaxclr.errors import InputError
from jaxclr.main import parse
from jaxclr.methods.erm import erm
from jaxclr.methods.simclr import simclr
from jaxclr.search.distributions import Choice, Integer, LogUniform, Uniform
from jaxclr.search.spaces import (
    default_space,
    draw,
    flags,
    leaves,
    read_space,
    refuse_unknown,
)

SPACE = {
    "optimizer.learning_rate": LogUniform(1e-4, 1e-1),
    "method.terms.repulsion.temperature": LogUniform(0.05, 0.5),
    "held_back": Uniform(0.1, 0.9),
    "batch_per_domain": Integer(3, 6),
    "model.activation": Choice(("relu", "leaky")),
}
MANY = 600


def drawn(space=SPACE, path=None):
    values = [draw(space, number) for number in range(1, MANY + 1)]
    return values if path is None else [one[path] for one in values]


@pytest.mark.parametrize(
    "path, witness",
    [
        ("optimizer.learning_rate", stats.loguniform(1e-4, 1e-1)),
        ("method.terms.repulsion.temperature", stats.loguniform(0.05, 0.5)),
        ("held_back", stats.uniform(0.1, 0.8)),
    ],
)
def test_draws_are_distributed_as_scipy_says_and_stay_in_range(path, witness):
    values = np.array(drawn(path=path))
    assert stats.kstest(values, witness.cdf).pvalue > 0.01
    low, high = witness.support()
    assert low <= values.min() < values.max() <= high
    # The other distribution is told from it by as many draws.
    other = stats.uniform(low, high - low) if path != "held_back" else stats.loguniform(low, high)
    assert stats.kstest(values, other.cdf).pvalue < 1e-6


@pytest.mark.parametrize("path", ["batch_per_domain", "model.activation"])
def test_whole_numbers_and_options_are_equally_likely_and_none_is_left_out(path):
    options = {"batch_per_domain": [3, 4, 5, 6], "model.activation": ["relu", "leaky"]}[path]
    values = drawn(path=path)
    counts = [values.count(option) for option in options]
    assert sum(counts) == MANY
    assert stats.chisquare(counts).pvalue > 0.01


def test_the_fields_of_a_draw_have_nothing_to_do_with_each_other():
    rate, temperature = (drawn(path=path) for path in list(SPACE)[:2])
    assert stats.spearmanr(rate, temperature).pvalue > 0.01


def test_a_value_depends_on_its_path_and_the_number_alone():
    """Neither on what else is drawn, nor in which order."""
    backwards = dict(reversed(SPACE.items()))
    for number in range(5):
        assert draw(backwards, number) == draw(SPACE, number)
    alone = {"held_back": SPACE["held_back"]}
    assert drawn(alone, "held_back") == drawn(path="held_back")
    assert len(set(drawn(path="optimizer.learning_rate"))) > MANY / 2


def test_draw_0_is_the_experiment_as_it_stands():
    assert draw(SPACE, 0) == {}


def test_flags_say_to_the_command_line_what_was_drawn():
    experiment = toy_experiment()
    settings = {
        "optimizer.learning_rate": 0.0123, "method.terms.repulsion.temperature": 0.7,
        "batch_per_domain": 4, "optimizer.schedule": "cosine_7_16", "optimizer.nesterov": True,
        "optimizer.decays_all": False,
    }  # fmt: skip
    found = leaves(parse(experiment, flags(settings)))
    before = leaves(experiment)
    assert {path for path in found if found[path] != before[path]} == set(settings)
    assert {path: found[path] for path in settings} == settings


def test_by_default_rates_weights_temperatures_and_thresholds_are_drawn_around_what_they_are():
    assert default_space(toy_experiment()) == {
        "optimizer.learning_rate": LogUniform(0.005, 0.15),
        "optimizer.head_learning_rate": LogUniform(0.005, 0.15),
        "optimizer.weight_decay": LogUniform(5e-5, 5e-3),
        "method.terms.consistency.weight": LogUniform(0.1, 10.0),
        "method.terms.repulsion.weight": LogUniform(0.03, 3.0),
        "method.terms.repulsion.temperature": LogUniform(0.06667, 0.6),
        "method.labeler.threshold": Uniform(0.8, 0.975),
    }


def test_the_first_terms_weight_is_the_unit_and_what_is_off_stays_off():
    alone = default_space(toy_experiment(method=erm()))
    assert not [path for path in alone if path.startswith("method")]
    contrast = default_space(toy_experiment(method=simclr()))
    assert [path for path in contrast if path.startswith("method")] == [
        "method.terms.contrast.temperature"
    ]
    experiment = toy_experiment()
    off = dataclasses.replace(experiment.optimizer, weight_decay=0.0)
    assert "optimizer.weight_decay" not in default_space(toy_experiment(optimizer=off))


def test_a_file_names_fields_by_paths_or_by_tables(tmp_path):
    file = tmp_path / "space.toml"
    file.write_text("""
        optimizer.learning_rate = {log_uniform = [1e-4, 1e-1]}
        "held_back" = {uniform = [0.1, 0.9]}
        batch_per_domain = {integer = [3, 6]}
        [method.terms.repulsion]
        temperature = {log_uniform = [0.05, 0.5]}
        [model]
        activation.choice = ["relu", "leaky"]
    """)
    assert read_space(file) == SPACE


def test_the_file_that_the_documentation_shows_is_one(tmp_path):
    page = (Path(__file__).parents[2] / "docs/search.md").read_text()
    (text,) = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    file = tmp_path / "space.toml"
    file.write_text(text)
    space = read_space(file)
    assert len(space) == 5
    refuse_unknown(space, leaves(toy_experiment()))


@pytest.mark.parametrize("space", [SPACE, default_space(toy_experiment())])
def test_what_is_told_of_a_space_can_be_read_again(tmp_path, space):
    file = tmp_path / "space.toml"
    file.write_text("".join(f"{path} = {how}\n" for path, how in space.items()))
    assert read_space(file) == space


@pytest.mark.parametrize(
    "text, reason",
    [
        ("a = {log_uniform = [0, 1]}", "a: a log-uniform range must be above 0, and starts at 0."),
        ("a = {log_uniform = [-1, 1]}", "above 0"),
        ("a = {uniform = [2, 1]}", "the range from 2 to 1 is empty"),
        ("a = {uniform = [1, 1]}", "is empty"),
        ("a = {uniform = [0, inf]}", "inf is not finite"),
        ("a = {uniform = [0, nan]}", "nan is not finite"),
        ("a = {uniform = [0, '1']}", "'1' is no number"),
        ("a = {uniform = [false, true]}", "False is no number"),
        ("a = {uniform = [0, 1, 2]}", "needs two bounds, and has 3"),
        ("a = {uniform = 3}", "3 is no list"),
        ("a = {integer = [1, 2.5]}", "2.5 is no whole number"),
        ("a = {choice = []}", "no option"),
        ("a = {choice = [[1]]}", "[1] is neither a number nor a word"),
        ("a = {normal = [0, 1]}", "a: there is no distribution normal. Allowed: {uniform"),
        ("a = {uniform = [0, 1], choice = [2]}", "a has more than one distribution"),
        ("a = 3", "a has no distribution"),
        ("[a.b]", "a.b has no distribution"),
        ("", "names no field"),
        ("a = [", "is no TOML"),
    ],
)
def test_a_file_that_says_no_distribution_is_refused(tmp_path, text, reason):
    file = tmp_path / "space.toml"
    file.write_text(text)
    with pytest.raises(InputError) as found:
        read_space(file)
    assert reason in str(found.value)
    assert "--space: " in str(found.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*none\.toml"):
        read_space(tmp_path / "none.toml")


def test_an_unknown_path_is_told_with_those_like_it():
    paths = leaves(toy_experiment())
    refuse_unknown(["optimizer.learning_rate", "held_back"], paths)
    with pytest.raises(InputError, match=r"Did you mean 'optimizer\.learning_rate'"):
        refuse_unknown(["optimizer.learning_rte"], paths)
    with pytest.raises(InputError, match="no experiment has a field 'optimizer'"):
        refuse_unknown(["optimizer"], paths)
    with pytest.raises(InputError, match="'seeds' says which runs to make"):
        refuse_unknown(["seeds"], paths)
