"""The model card of a finished run: what it is, how good, and where it ends, from its records."""

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jaxclr.experiment import as_code
from jaxclr.export.card_code import in_jax, in_torch
from jaxclr.export.references import papers
from jaxclr.models.network import Model
from jaxclr.pipeline.files import printable
from jaxclr.probe import Probe
from jaxclr.saved import Saved

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")
"""What Markdown would take for more than a letter."""
STRING = re.compile(r"'(?:[^'\\]|\\.)*'" + r'|"(?:[^"\\]|\\.)*"')
"""One of Python's, as ``repr`` writes it."""
ELSEWHERE = re.compile(r"[/\\~]|[A-Za-z]:(?:.*[/\\]|$)|(?:.*[/\\])?\.\.(?:[/\\]|$)")
"""How paths begin that lead away from the folder where a run was started."""
FIGURES = {
    "balanced_accuracy": ("balanced accuracy", "%"),
    "macro_f1": ("macro F1", "%"),
    "ece": ("expected calibration error", "%"),
    "nll": ("negative log-likelihood", "nats"),
    "neighbors_accuracy": ("accuracy by nearest neighbours", "%"),
}
"""Of the held-out domain, beside the accuracy."""


def card(saved: Saved, *, files: Sequence[str], license: str, torch_names: str | None) -> str:
    """The card in Markdown, with the head that Hugging Face reads.

    Args:
        saved: The run.
        files: Names of the files beside the card.
        license: Of the weights.
        torch_names: Whose names ``model.safetensors`` has; None: jaxclr's own.
    """
    loading = [in_jax(saved)] if "model.stablehlo" in files else []
    if "model.safetensors" in files:
        loading.append(in_torch(saved, torch_names))
    parts = [
        _head(saved, license), _about(saved), _data(saved), _method(saved), _accuracy(saved),
        _limits(saved), *(["## Loading it", *loading] if loading else []), _made(saved),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def escaped(text: object) -> str:
    """Text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", printable(str(text)))


def _head(saved: Saved, license: str) -> str:
    probed = isinstance(saved.experiment.evaluation, Probe)
    task = "image-feature-extraction" if probed else "image-classification"
    tags = ["jaxclr", "jax", "domain-generalization", "semi-supervised-learning"]
    tags.append(saved.experiment.dataset.name)
    # JSON's strings are YAML's, whatever is in them.
    lines = [
        "library_name: jaxclr", f"license: {json.dumps(license)}", f"pipeline_tag: {task}", "tags:",
        *(f"- {json.dumps(tag)}" for tag in tags),
    ]  # fmt: skip
    return "\n".join(["---", *lines, "---"])


def _about(saved: Saved) -> str:
    target, sources = escaped(saved.results["target"]), _listed(_sources(saved))
    size = saved.experiment.augment.size
    images = "images, some with labels and the rest without," if _guesses(saved) else "images"
    what = f"an image classifier of {len(saved.classes)} classes"
    if isinstance(saved.experiment.evaluation, Probe):
        what = "an encoder of images, without a classifier"
    return (
        f"# {escaped(saved.experiment.name)}, held out: {target}\n\n"
        f"This is {what}, for images of {size} x {size} pixels. It was trained on {images} of the "
        f"domains {sources}, and tested on the domain {target}, no image of which it had seen."
    )


def _data(saved: Saved) -> str:
    experiment, dataset = saved.experiment, saved.experiment.dataset
    labels = f"{experiment.labels_per_class} of each class and domain"
    if experiment.label_imbalance != 1:
        labels += f" in the first class, {experiment.label_imbalance:g} times fewer in the last"
    rows = [
        ("data set", f"{dataset.name}: {_first_line(dataset)}"),
        ("trained on", ", ".join(_sources(saved))),
        ("held out", saved.results["target"]),
        ("labeled images", labels),
        ("classes", ", ".join(saved.classes)),
        *((name, told) for name in ("license", "citation") if (told := getattr(dataset, name, ""))),
    ]
    return "## Data\n\n" + _table(("", ""), rows)


def _method(saved: Saved) -> str:
    experiment, method = saved.experiment, saved.experiment.method
    terms = [
        (name, type(term).__name__, f"{term.weight:g}", _first_line(term))
        for name, term in method.terms.items()
    ]
    rows = [
        ("model", f"{type(experiment.model).__name__}: {_first_line(experiment.model)}"),
        ("its settings", _settings(experiment.model)),
        ("weights that training began with", _beginning(saved)),
        ("labeler", f"{_short(method.labeler)}: {_first_line(method.labeler)}"),
        ("optimizer", _short(experiment.optimizer)),
        ("steps", f"{saved.results['steps']:,}"),
        ("seed", saved.results["seed"]),
        ("labeled images of a domain in a batch", experiment.batch_per_domain),
        ("unlabeled ones for each labeled one", experiment.unlabeled_ratio),
        ("computed in", experiment.dtype),
    ]
    return "\n\n".join(
        [
            "## Method",
            "The loss is the sum of these terms, each times its weight:",
            _table(("term", "settings", "weight", "what it does"), terms),
            _table(("", ""), rows),
            "All settings, as `experiment.txt` of the run has them:",
            _fenced(_code(experiment), "python"),
        ]
    )


def _accuracy(saved: Saved) -> str:
    results, target = saved.results, saved.results["target"]
    rows = [
        (f"accuracy on {target}, held out", f"{results['accuracy']:.1f}", "%"),
        ("accuracy on the labeled images trained on", f"{results['source_accuracy']:.1f}", "%"),
    ]
    if results.get("held_back_accuracy") is not None:
        told = "accuracy on images of the sources kept from training"
        rows.append((told, f"{results['held_back_accuracy']:.1f}", "%"))
    rows += [
        (f"{told} on {target}", f"{results[name]:.{1 if unit == '%' else 3}f}", unit)
        for name, (told, unit) in FIGURES.items()
        if results.get(name) is not None
    ]
    classes = [
        (name, "no image" if share is None else f"{share:.1f}")
        for name, share in zip(saved.classes, results["accuracy_per_class"], strict=True)
    ]
    return "\n\n".join(
        [
            "## Accuracy",
            "Of one run: other seeds draw other labels, and come out differently."
            + (_PROBED if isinstance(saved.experiment.evaluation, Probe) else ""),
            _table(("", "", "unit"), rows),
            _table(("class", f"accuracy on {target}, %"), classes),
        ]
    )


_PROBED = (
    " Classes were told by a logistic regression on the features, which is not among these files."
)


def _limits(saved: Saved) -> str:
    results, count = saved.results, len(saved.classes)
    points = [
        f"It has seen the domains {_listed(_sources(saved))} only. On a domain that it had not "
        f"seen, {escaped(results['target'])}, {results['accuracy']:.1f} % were right, and on the "
        f"labeled images that it was trained on {results['source_accuracy']:.1f} %. What another "
        "domain would give is not known.",
        f"It knows {count} classes, and takes every image for one of them.",
        "Images that it learned from had no label; what was guessed for them may be wrong."
        if _guesses(saved)
        else "It learned from few images.",
        "Its probabilities were not calibrated."
        + (
            f" They are off by {results['ece']:.1f} % on average (ECE)." if "ece" in results else ""
        ),
        "Whether it does worse by some people, or by what belongs to them, than by others was not "
        "looked into: no claim of fairness is made.",
    ]
    if isinstance(saved.experiment.evaluation, Probe):
        # What is left out is about classes.
        points = [points[0], points[-1]]
    use = (
        "It is meant for research on how classifiers carry over to unseen domains, and for images "
        "like those above. It is not meant for decisions about people, or for anything where a "
        "wrong answer does harm."
    )
    return "\n\n".join(
        ["## Intended use", use, "## Limits", "\n".join(f"- {point}" for point in points)]
    )


def _made(saved: Saved) -> str:
    results = saved.results
    rows = [(name, version) for name, version in results["versions"].items()]
    rows += [("commit of jaxclr", results.get("git_commit") or "not known")]
    if "device" in results:
        rows.append(("device", results["device"]))
    cited = [f"- {escaped(title)}, <{address}>" for title, address in papers(saved.experiment)]
    version = results["versions"].get("jaxclr", "")
    bib = (
        "@software{jaxclr,\n  author  = {The jaxclr authors},\n"
        "  title   = {jaxclr: semi-supervised domain generalization in JAX},\n"
        f"  version = {{{version}}}\n}}"
    )
    parts = ["## Versions", _table(("", ""), rows), "## Citation", _fenced(bib, "bibtex")]
    if cited:
        parts += ["What the code of its data, model and method refers to:", "\n".join(cited)]
    return "\n\n".join(parts)


def _sources(saved: Saved) -> list[str]:
    domains = saved.results.get("domains") or getattr(saved.experiment.dataset, "domains", ())
    return [name for name in domains if name != saved.results["target"]]


def _guesses(saved: Saved) -> bool:
    """Whether images without a label were learned from."""
    return bool(saved.experiment.method.reads - {"labeled"})


def _code(settings: object) -> str:
    """Settings without the folders of the machine that they were used on."""
    return STRING.sub(lambda found: repr(_placeless(ast.literal_eval(found[0]))), as_code(settings))


def _placeless(text: str) -> str:
    """Of a path that leads elsewhere the last name only; any other text as it is."""
    if not ELSEWHERE.match(text):
        return text
    *above, name = re.split(r"[/\\]", text.rstrip("/\\"))
    return f".../{name}" if above and name != ".." else "..."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(escaped, names))


def _first_line(value: object) -> str:
    return (inspect.getdoc(type(value)) or "").partition("\n\n")[0].replace("\n", " ")


def _settings(model: Model) -> str:
    """A model's own settings."""
    own = [field.name for field in dataclasses.fields(model) if not field.kw_only]
    return ", ".join(f"{name}={_short(getattr(model, name))}" for name in own)


def _beginning(saved: Saved) -> str:
    """Where the weights came from."""
    if not (origin := saved.results.get("weights")):
        return "drawn at random"
    file = origin["file"] if origin["file"].startswith("hf:") else Path(origin["file"]).name
    return f"{file}, SHA-256 {origin['sha256']}: {origin['loaded']}"


def _short(value: object) -> str:
    return " ".join(_code(value).split()).replace("( ", "(").replace(", )", ")")


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    first, *rest = ([*map(escaped, row)] for row in (header, *rows))
    lines = [first, ["---"] * len(header), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fenced(code: str, language: str) -> str:
    """Code in a fence that nothing in it ends."""
    longest = max(map(len, re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"
