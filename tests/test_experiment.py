import dataclasses

import pytest
from toy import Toy, toy_experiment

from jaxclr.errors import InputError
from jaxclr.experiment import as_code, differences, imports
from jaxclr.main import experiment_names, load_experiment, parse
from jaxclr.methods.mixing import MixUp


def read_back(code: str, statements: list[str]):
    names = {}
    for statement in statements:
        exec(statement, names)
    return eval(code, names)


@pytest.mark.parametrize("name", experiment_names())
def test_an_experiment_reads_back_from_its_code_and_from_its_repr(name):
    experiment = load_experiment(name)
    assert experiment.name == name
    assert read_back(as_code(experiment), imports(experiment)) == experiment
    assert read_back(repr(experiment), imports(experiment)) == experiment


def test_what_is_run_where_and_how_fast_is_no_difference():
    saved = as_code(toy_experiment())
    same = toy_experiment(targets=("night",), seeds=(4, 5), threads=0, workers=3)
    assert differences(saved, same) == []


def test_links_that_are_followed_are_no_difference_from_files_put_there():
    one = load_experiment("folder_fixclr")
    linked = dataclasses.replace(one.dataset, follow_links=True)
    assert differences(as_code(one), dataclasses.replace(one, dataset=linked)) == []


def test_small_windows_need_views_that_have_them_and_a_model_of_their_size():
    one = load_experiment("digits_byol_multicrop")
    with pytest.raises(InputError, match=r"the views have none.*--augment\.crops 4"):
        parse(one, ["--augment.crops", "0"])
    flat = dataclasses.replace(one.model, pooled=False)
    with pytest.raises(InputError, match=r"windows are of 16 px.*--augment\.crop-size 32"):
        dataclasses.replace(one, model=flat)
    large = dataclasses.replace(one.augment, crop_size=32)
    assert dataclasses.replace(one, model=flat, augment=large).model == flat


def test_a_setting_that_is_new_is_no_difference_where_it_is_at_its_default():
    one = load_experiment("digits_fixclr")
    code = as_code(one)
    lines = [x for x in code.splitlines() if "centred=" not in x and "engine=" not in x]
    whole = "\n".join(lines).replace("        mixing=NoMixing(),\n", "")
    assert len(code) > len(whole)
    assert differences(whole, one) == []
    assert differences(whole, parse(one, ["--method.terms.repulsion.centred"])) == [
        "method.terms.repulsion.centred: False there, True here"
    ]
    assert differences(whole, parse(one, ["--augment.engine", "opencv"])) == [
        "augment.engine: 'pillow' there, 'opencv' here"
    ]
    mixed = dataclasses.replace(one.method, mixing=MixUp())
    assert differences(whole, dataclasses.replace(one, method=mixed))[0] == (
        "method.mixing: NoMixing there, MixUp here"
    )


@pytest.mark.parametrize("name", ["digits_byol", "digits_ssc", "folder_fixclr"])
def test_an_experiment_does_not_differ_from_itself(name):
    one = load_experiment(name)
    assert differences(as_code(one), one) == []


def test_differences_are_named_by_their_path():
    one = load_experiment("digits_fixclr")
    other = parse(one, ["--method.terms.repulsion.temperature", ".1", "--steps", "7"])
    told = differences(as_code(one), other)
    assert told == [
        "method.terms.repulsion.temperature: 0.2 there, 0.1 here",
        f"steps: {one.steps} there, 7 here",
    ]
    assert differences(as_code(one), dataclasses.replace(one, dataset=Toy()))[0].startswith(
        "dataset: Digits there, Toy here"
    )


def test_every_field_is_given_by_its_path():
    changed = parse(
        toy_experiment(),
        [
            "--targets",
            "night",
            "--seeds",
            "1",
            "2",
            "--steps",
            "200",
            "--optimizer.learning-rate",
            ".01",
            "--method.terms.repulsion.temperature",
            ".2",
            "--method.labeler.threshold",
            ".8",
            "--model.width",
            "12",
            "--dataset.per-class",
            "5",
            "--augment.cutout",
            "8",
            "--ema-decay",
            ".99",
            "--dtype",
            "bfloat16",
        ],
    )
    assert (changed.targets, changed.seeds, changed.steps) == (("night",), (1, 2), 200)
    assert changed.optimizer.learning_rate == 0.01
    assert changed.method.terms["repulsion"].temperature == 0.2
    assert changed.method.labeler.threshold == 0.8
    assert (changed.model.width, changed.dataset.per_class) == (12, 5)
    assert (changed.augment.cutout, changed.ema_decay, changed.dtype) == (8, 0.99, "bfloat16")


def test_help_explains_every_field(capsys):
    with pytest.raises(SystemExit) as stop:
        parse(load_experiment("pacs_fixclr"), ["--help"], "usage")
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert stop.value.code == 0
    for part in (
        "--labels-per-class", "Labeled images per class and source domain.",
        "--method.terms.repulsion.temperature", "small values attend to the nearest intruders",
        "--dataset.root", "--optimizer.head-learning-rate", "--augment.cutout",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    "field, value", [("steps", 0), ("seeds", ()), ("seeds", (-1,)), ("ema_decay", 1.0),
                     ("batch_per_domain", 0), ("threads", -1)],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_with_the_range(field, value):
    with pytest.raises(InputError, match=f"--{field.replace('_', '-')} is"):
        toy_experiment(**{field: value})
