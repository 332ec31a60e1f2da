"""The model card says what the run's records say, and shows every name as it is."""

import dataclasses
import json
import re

import pytest
from finished import finished
from markdown_it import MarkdownIt
from toy import Toy, toy_experiment

from jaxclr.export.card import card, escaped
from jaxclr.export.references import papers
from jaxclr.methods.erm import erm
from jaxclr.models.convnet import ConvNet
from jaxclr.models.resnet import ResNet
from jaxclr.models.vit import Vit
from jaxclr.pipeline.files import printable
from jaxclr.probe import Probe
from jaxclr.saved import Saved, read_saved

ODD = ("a|b", "*c* _d_ <i>e</i> `f`", "[g](h) $i$ \\ #j", "new\nline")
ALL = ("model.stablehlo", "model.safetensors")


def saved_of(folder, experiment=None, **results) -> Saved:
    return read_saved(finished(folder, experiment, **results))


def card_of(saved, files=ALL, license="unknown", torch_names=None):
    return card(saved, files=files, license=license, torch_names=torch_names)


def cells_of(text):
    """The rows of all tables, as a reader of Markdown sees them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text.partition("---\n\n")[2])
    rows = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and token.level >= 4 and rows:
            rows[-1].append("".join(part.content for part in token.children or ()))
    return rows


@pytest.mark.parametrize("name", ODD)
def test_names_are_shown_as_they_are(name):
    (row,) = cells_of(f"---\n\n| x |\n| --- |\n| {escaped(name)} |\n")[1:]
    assert row == [printable(name)]


def test_figures_are_those_of_the_results(tmp_path):
    saved = saved_of(
        tmp_path / "run", accuracy=12.34, accuracy_per_class=[1.23, None, 98.76], ece=4.56,
        nll=1.2345, held_back_accuracy=55.5, source_accuracy=77.7,
    )  # fmt: skip
    rows = cells_of(card_of(saved))
    told = {row[0]: row[1:] for row in rows}
    assert told["accuracy on night, held out"] == ["12.3", "%"]
    assert told["accuracy on the labeled images trained on"] == ["77.7", "%"]
    assert told["accuracy on images of the sources kept from training"] == ["55.5", "%"]
    assert told["expected calibration error on night"] == ["4.6", "%"]
    assert told["negative log-likelihood on night"] == ["1.234", "nats"]
    assert [told[name][0] for name in saved.classes] == ["1.2", "no image", "98.8"]
    assert told["trained on"] == ["day, dusk"] and told["held out"] == ["night"]
    assert told["commit of jaxclr"] == ["0123abc"] and told["jax"] == ["0.0"]
    assert told["repulsion"][1] == f"{saved.experiment.method.terms['repulsion'].weight:g}"


def test_what_older_runs_did_not_measure_is_left_out(tmp_path):
    text = card_of(saved_of(tmp_path / "run"))
    assert "calibration error" not in text and "kept from training" not in text
    assert "accuracy on night, held out" in text


def test_odd_names_break_neither_head_nor_tables(tmp_path):
    saved = saved_of(
        tmp_path / "run", classes=[*ODD], accuracy_per_class=[1.0, 2.0, 3.0, 4.0],
        target='day: "x"\n---', domains=["a", "b", 'day: "x"\n---'],
    )  # fmt: skip
    text = card_of(saved, license='my "own": license')
    _, head, _ = re.split("^---$", text, maxsplit=2, flags=re.M)
    lines = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    assert json.loads(lines["license"]) == 'my "own": license'
    told = {row[0]: row[1:] for row in cells_of(text)}
    assert [told[printable(name)] for name in ODD] == [["1.0"], ["2.0"], ["3.0"], ["4.0"]]


def test_the_head_is_yaml(tmp_path):
    yaml = pytest.importorskip("yaml")
    head = yaml.safe_load(card_of(saved_of(tmp_path / "run")).split("---")[1])
    assert head["library_name"] == "jaxclr" and head["license"] == "unknown"
    assert "toy" in head["tags"] and head["pipeline_tag"] == "image-classification"


@dataclasses.dataclass(frozen=True)
class Placed(Toy):
    """The toy in a folder."""

    root: str = "/home/me/private/toy images"
    cache: str = r"C:\Users\me\cache"


def test_folders_of_the_machine_stay_private(tmp_path):
    origin = {"file": "/home/me/private/net.pth", "sha256": "ab12", "loaded": "5 of 5."}
    saved = saved_of(tmp_path / "run", weights=origin)
    experiment = dataclasses.replace(saved.experiment, dataset=Placed(), splits="~/private/x")
    text = card_of(saved._replace(experiment=experiment))
    assert "private" not in text and "Users" not in text
    assert "root='.../toy images'" in text and "net.pth, SHA-256 ab12: 5 of 5." in text


@pytest.mark.parametrize(
    "folder, shown",
    [
        ("/data", ".../data"), ("/home/me/x/", ".../x"), ("/", "..."), ("~", "..."),
        ("~me", "..."), ("~/x", ".../x"), ("../me/x", ".../x"), ("..", "..."),
        ("data/../../me/x", ".../x"), (r"C:\me\x", ".../x"), ("D:/me/it's \"x\"", ".../it's \"x\""),
        (r"\\me\share\x", ".../x"), ("hf:timm/vit", "hf:timm/vit"), ("data/x", "data/x"),
        ("a..b", "a..b"), ("", ""),
    ],
)  # fmt: skip
def test_of_a_folder_of_the_machine_only_its_own_name_is_shown(tmp_path, folder, shown):
    saved = saved_of(tmp_path / "run")
    experiment = dataclasses.replace(saved.experiment, dataset=Placed(root=folder))
    assert f"root={shown!r},\n" in card_of(saved._replace(experiment=experiment))


def test_a_probed_encoder_is_called_one(tmp_path):
    text = card_of(saved_of(tmp_path / "run", toy_experiment(evaluation=Probe())))
    assert "image-feature-extraction" in text and "without a classifier" in text
    assert "takes every image for one of them" not in text


def test_it_says_whether_unlabeled_images_were_learned_from(tmp_path):
    assert "no label" in card_of(saved_of(tmp_path / "one"))
    assert "no label" not in card_of(saved_of(tmp_path / "two", toy_experiment(method=erm())))


def test_how_to_load_is_told_of_what_is_there(tmp_path):
    saved = saved_of(tmp_path / "run")
    assert "## Loading" not in card_of(saved, files=())
    assert "import torch" not in card_of(saved)
    assert "own names" in card_of(saved)
    for model, names, expected in (
        (ResNet(50, stem="small"), "torchvision", "resnet50(num_classes=3)\nmodel.conv1 = "),
        (Vit(size=32), "timm", "VisionTransformer(img_size=32, patch_size=16, "),
    ):
        experiment = dataclasses.replace(saved.experiment, model=model)
        network = saved.network._replace(params={"head": {"kernel": 0, "bias": 0}})
        text = card_of(saved._replace(experiment=experiment, network=network), torch_names=names)
        assert f"model = {expected}" in text and ("plain batch norm" in text) == (
            names == "torchvision"
        )
        code = re.findall(r"```python\n(.*?)```", text, re.S)[-1]
        assert "load_state_dict" in code
        compile(code, "card", "exec")


def test_papers_are_those_of_what_was_chosen():
    found = {address for _, address in papers(toy_experiment(model=ConvNet(width=8, size=16)))}
    assert "https://arxiv.org/abs/2506.20841" in found  # FixCLR
    assert "https://arxiv.org/abs/2001.07685" in found  # FixMatch
    assert "https://arxiv.org/abs/2303.06088" not in found  # styles of batches, which are off
    assert len(found) == len(papers(toy_experiment()))
