"""Exported networks say the same without jaxclr, in a process that cannot import it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from finished import finished
from PIL import Image
from toy import CLASSES, toy_experiment

from jaxclr.evaluation import make_predict
from jaxclr.export import export, main
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Mlp, Prototypes
from jaxclr.models.resnet import ResNet
from jaxclr.models.vit import Vit
from jaxclr.models.weights import read_arrays
from jaxclr.models.wide_resnet import WideResNet
from jaxclr.pipeline.augment import Augment
from jaxclr.probe import Probe
from jaxclr.saved import read_saved
from jaxclr.training.layout import make_layout

SMALL = {"width": 12, "depth": 2, "heads": 3, "patch": 8, "size": 32}
MODELS = {
    "convnet": (ConvNet(width=16, size=32), {}),
    "vit": (Vit(**SMALL), {}),
    "probed": (ConvNet(width=8, size=32), {"evaluation": Probe()}),
}
LARGER = {
    "resnet": (ResNet(stem="small"), {}),
    "wide": (WideResNet(width=4), {}),
    "half": (ConvNet(width=8, size=32), {"dtype": "bfloat16"}),
}
SHOWN = ("convnet", "probed")
OUTSIDE = """
import json, os, re, sys
sys.modules.update(dict.fromkeys(("jaxclr", "flax", "jaxtyping")))
import numpy as np
from jax import export
for name in sys.argv[1:]:
    os.chdir(name)
    data = bytearray(open("model.stablehlo", "rb").read())
    call = export.deserialize(data).call
    found = {}
    for count in (1, 5):
        images = np.load("images.npy")[:count]
        for place, array in enumerate(call(images)):
            found[f"{count}_{place}"] = array
    np.savez("found.npz", **found)
    loading = open("README.md").read().partition("## Loading it")[2]
    if os.path.basename(name) in {shown}:
        exec(re.search(r"```python\\n(.*?)```", loading, re.S)[1])
        np.save("view.npy", image)
""".replace("{shown}", repr(SHOWN))


def run_of(folder, model, **changes):
    settings = {"model": model, "augment": Augment(size=32), **changes}
    return read_saved(finished(folder, toy_experiment(**settings)))


def photo():
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (9, 14, 3), np.uint8))
    return small.resize((141, 97), Image.Resampling.BICUBIC)


def outside(top, models):
    """For each model, the run and its folder; the images; and what was printed outside."""
    images = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), np.uint8)
    runs = {}
    for name, (model, changes) in models.items():
        saved = run_of(top / "runs" / name, model, **changes)
        export(saved, top / name)
        np.save(top / name / "images.npy", images)
        photo().save(top / name / "photo.jpg", quality=95)
        runs[name] = (saved, top / name)
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDE, *(str(top / name) for name in models)],
        capture_output=True, text=True, env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return runs, images, done.stdout.splitlines()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return outside(tmp_path_factory.mktemp("exported"), MODELS)


def said(saved, images):
    """Probabilities and features by the function that runs are tested by."""
    e, layout = saved.experiment, make_layout(1, jax.devices()[:1])
    predict = make_predict(saved.network, e.augment, jnp.dtype(e.dtype), layout)
    seen = predict(saved.network.params, saved.network.stats, images)
    powers = np.exp(np.float64(seen.logits))
    return powers / powers.sum(-1, keepdims=True), np.asarray(seen.features)


def check(runs, images, name):
    expected = said(runs[name][0], images)
    # Of a run tested by a probe there are no probabilities.
    expected = expected[1:] if name == "probed" else expected
    close = {"rtol": 3e-2, "atol": 3e-2} if name == "half" else {"rtol": 1e-4, "atol": 1e-5}
    with np.load(runs[name][1] / "found.npz") as found:
        assert len(found.files) == 2 * len(expected)
        for count in (1, 5):
            for place, array in enumerate(expected):
                there = found[f"{count}_{place}"]
                assert there.dtype == np.float32 and there.std() > 0
                np.testing.assert_allclose(there, array[:count], **close)


@pytest.mark.parametrize("name", MODELS)
def test_the_function_says_the_same_of_any_number_of_images_without_jaxclr(name, exported):
    runs, images, _ = exported
    check(runs, images, name)


@pytest.mark.slow
def test_so_do_larger_networks_and_those_of_half_precision(tmp_path):
    runs, images, _ = outside(tmp_path, LARGER)
    for name in LARGER:
        check(runs, images, name)
    names = read_arrays(tmp_path / "resnet" / "model.safetensors").keys()
    assert {"conv1.weight", "layer4.1.bn2.running_var", "fc.bias"} <= names


@pytest.mark.parametrize("name", SHOWN)
def test_the_code_of_the_card_prepares_an_image_as_tests_do(name, exported):
    runs, _, lines = exported
    told = dict(zip(SHOWN, lines, strict=True))
    saved, folder = runs[name]
    image = np.asarray(Image.open(folder / "photo.jpg"))
    view = saved.experiment.augment.evaluation(image)
    np.testing.assert_array_equal(np.load(folder / "view.npy"), view)
    probabilities, features = said(saved, np.stack([view] * 5))
    if name == "probed":
        assert told[name] == str(features[:1].shape)
    else:
        assert told[name] == CLASSES[probabilities[0].argmax()]


def code_of_page(heading):
    """What the page has Python read from the shell, under a heading."""
    page = Path(__file__).parents[2] / "docs" / "predict.md"
    found = re.search(rf"^## {heading}$.*?<<'END'\n(.*?)^END$", page.read_text(), re.M | re.S)
    assert found
    return found[1]


def test_the_code_of_the_page_calls_the_function(exported, monkeypatch):
    saved, folder = exported[0]["convnet"]
    monkeypatch.chdir(folder)
    exec(code_of_page("Load it in JAX"), names := {})
    for found, expected in zip(
        (names["probabilities"], names["features"]), said(saved, names["images"]), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_code_of_the_page_fills_the_network_of_torchvision(tmp_path, monkeypatch):
    pytest.importorskip("torchvision")
    classes = [f"class {c}" for c in range(7)]
    experiment = toy_experiment(model=ResNet(18))
    saved = read_saved(finished(tmp_path / "run", experiment, classes=classes))
    export(saved, tmp_path / "out", formats=["safetensors"])
    monkeypatch.chdir(tmp_path / "out")
    exec(code_of_page("Load it in torch"), names := {})
    found = names["model"].fc.weight.detach().numpy()
    np.testing.assert_array_equal(found.T, saved.network.params["head"]["kernel"])


def test_the_settings_beside_it_say_what_is_needed(exported):
    runs, _, _ = exported
    for name, (saved, folder) in runs.items():
        told = json.loads((folder / "config.json").read_text())
        assert told["classes"] == [*CLASSES] and told["preprocessing"]["size"] == 32
        assert told["preprocessing"]["mean"] == [*saved.experiment.augment.mean]
        names = "timm" if name == "vit" else "jaxclr"
        assert told["safetensors"]["names"] == names
        outputs = ["features"] if name == "probed" else ["probabilities", "features"]
        assert told["stablehlo"]["outputs"] == outputs
        assert set(os.listdir(folder)) > {"README.md", "model.safetensors", "model.stablehlo"}


def test_weights_without_a_network_in_torch_have_their_own_names(exported):
    saved, folder = exported[0]["convnet"]
    own, found = (
        read_arrays(saved.folder / "weights.npz"),
        read_arrays(folder / "model.safetensors"),
    )
    assert own.keys() == found.keys()
    for name, array in own.items():
        np.testing.assert_array_equal(found[name], array)


def test_of_what_follows_the_backbone_only_what_predictions_need_is_written(tmp_path):
    linear = run_of(tmp_path / "one", Vit(**SMALL, projector=Mlp()))
    export(linear, tmp_path / "a", formats=["safetensors"])
    names = read_arrays(tmp_path / "a" / "model.safetensors").keys()
    assert "head.weight" in names and not any("projector" in name for name in names)
    both = Vit(**SMALL, projector=Mlp(), predictor=Mlp(), classifier=Prototypes())
    export(run_of(tmp_path / "two", both), tmp_path / "b", formats=["safetensors", "card"])
    names = read_arrays(tmp_path / "b" / "model.safetensors").keys()
    assert {"cls_token", "params/head/prototypes", "params/projector/out/kernel"} <= names
    assert not any("predictor" in name for name in names)
    assert "strict=False" in (tmp_path / "b" / "README.md").read_text()


def test_the_command_writes_what_is_asked_for(tmp_path, capsys):
    folder = finished(tmp_path / "run")
    asked = ["--run", str(folder), "--output", str(tmp_path / "out"), "--formats"]
    assert main([*asked, "card", "safetensors"]) == 0
    written = {"README.md", "config.json", "model.safetensors"}
    assert set(os.listdir(tmp_path / "out")) == written
    assert {os.path.basename(line.split()[0]) for line in capsys.readouterr().out.splitlines()} == (
        written
    )
    with pytest.raises(SystemExit):
        main([*asked, "onnx"])
    assert main(["--run", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    assert main(["--run", str(folder), "--output", str(folder / "results.json")]) == 2


def test_names_that_are_no_text_are_escaped(tmp_path, capsys):
    odd, out = os.fsdecode(b"\xff"), tmp_path / "out"
    names = {"classes": [odd, "b", "c"], "target": odd, "domains": ["day", odd]}
    folder = finished(tmp_path / "run", **names)
    code = main(["--run", str(folder), "--output", str(out), "--formats", "card"])
    assert code == 0, capsys.readouterr().err
    told = json.loads((out / "config.json").read_text("utf-8"))
    assert told["classes"] == [r"\udcff", "b", "c"] and told["target"] == r"\udcff"
    assert r"trained on | day |" in (out / "README.md").read_text("utf-8")


def test_without_flatbuffers_it_is_told_what_to_install_and_nothing_is_written(
    tmp_path, monkeypatch, capsys
):
    folder = finished(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    assert main(["--run", str(folder), "--output", str(tmp_path / "out")]) == 2
    assert "pip install 'jaxclr[export]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_help_waits_for_nothing():
    code = (
        "import sys; from jaxclr.export import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'jax', 'numpy', 'PIL', 'rich'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and re.search("stablehlo.*safetensors.*card", done.stdout)
