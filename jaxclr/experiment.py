"""An experiment: the table of contents of its runs."""

import ast
import dataclasses
from typing import Literal

from jaxclr.errors import InputError
from jaxclr.methods.method import Method
from jaxclr.models.network import Model
from jaxclr.models.prior import NoPrior, Prior
from jaxclr.models.style import NoStyle
from jaxclr.optim import Optimizer, Sgd
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.self_supervised import small_windows
from jaxclr.pipeline.source import Dataset
from jaxclr.pipeline.split import Missing
from jaxclr.probe import Classify, Evaluation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """All that decides what is trained and tested; the defaults are the protocol's."""

    name: str
    """Names the folder of the runs."""
    dataset: Dataset
    """Where the images come from."""
    model: Model
    """The network."""
    method: Method
    """What is minimized, and on whose word."""
    optimizer: Optimizer = dataclasses.field(default_factory=Sgd)
    """How parameters move."""
    augment: Augment = dataclasses.field(default_factory=Augment)
    """How views of images are made."""
    prior: Prior = dataclasses.field(default_factory=NoPrior)
    """A frozen encoder whose neighbourhoods terms may preserve."""
    evaluation: Evaluation = dataclasses.field(default_factory=Classify)
    """How what was learned is tested."""
    targets: tuple[str, ...] = ()
    """Domains to hold out, one run each; none given: every domain in turn."""
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    """One run each; the seed fixes the split and the training."""
    labels_per_class: int = 10
    """Labeled images per class and source domain."""
    label_imbalance: float = 1.0
    """How many times fewer labeled images the last class has than the first; between them the
    number decays exponentially."""
    missing_classes: Missing = "refuse"
    """Whether a source domain may lack labeled images of some class; it then has those it can."""
    held_back: float = 0.0
    """Share of each source domain's training images, in [0, 1), kept from training, so that
    settings can be chosen by the accuracy on them; what the data set's own lists keep from it comes
    on top."""
    splits: str | None = None
    """Folder of split files to read, named <target>_nlab<N>_seed<S>.json; none: drawn by seed."""
    labeled_in_pool: bool = False
    """Whether labeled images are among the unlabeled ones, too."""
    batch_per_domain: int = 16
    """Labeled images of each source domain in a batch."""
    unlabeled_ratio: int = 1
    """How many times as many unlabeled images there are in a batch."""
    steps: int | None = None
    """Length of a run; none: as many as the epochs make."""
    epochs: int = 40
    """Length of a run in passes over the smallest domain's unlabeled images."""
    gradient_norms: bool = False
    """Whether metrics.jsonl tells how strongly each term pulls at the features."""
    domain_probe: int = 400
    """At the end, images of each domain off whose features the domain is read; 0 for none."""
    eval_every: int | None = None
    """Steps from one evaluation and checkpoint to the next; none: ten to a run."""
    log_every: int = 10
    """Steps in one line of metrics.jsonl."""
    ema_decay: float | None = None
    """Decay of the averaged weights, in [0, 1); none: no average is kept."""
    tested: Literal["average", "last", "both"] = "average"
    """What is tested where an average is kept: it, the last weights, or the mean of the two."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What the network computes in; parameters stay float32."""
    chunks: int = 1
    """Into how many parts a pass through the backbone is cut, for less memory; losses see the
    whole batch. With batch norm parts are whole domains: at most as many as there are sources."""
    sharding: Literal["replicated", "full"] = "replicated"
    """Whether parameters, their average and what the optimizer keeps of them are whole on every
    device, or shared out over all; the passes gather what they need."""
    threads: int = 2
    """Threads that make batches ahead of the step."""
    workers: int = 0
    """Processes that do so instead."""

    def __post_init__(self) -> None:
        least = {
            "labels_per_class": 1, "batch_per_domain": 1, "unlabeled_ratio": 1, "epochs": 1,
            "steps": 1, "domain_probe": 0, "eval_every": 1, "log_every": 1,
            "chunks": 1, "threads": 0, "workers": 0,
        }  # fmt: skip
        for field, allowed in least.items():
            value = getattr(self, field)
            if value is not None and value < allowed:
                raise InputError(f"{_flag(field)} is {value}; it must be at least {allowed}.")
        if not self.seeds or min(self.seeds) < 0:
            raise InputError(f"--seeds is {self.seeds}; give one or more, none below 0.")
        if not 0 <= self.held_back < 1:
            raise InputError(f"--held-back is {self.held_back}; it must be in [0, 1).")
        if not 1 <= self.label_imbalance < float("inf"):
            raise InputError(f"--label-imbalance is {self.label_imbalance}; it must be at least 1.")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise InputError(f"--ema-decay is {self.ema_decay}; it must be in [0, 1).")
        if {"average", "teacher"} & self.method.reads and self.ema_decay is None:
            raise InputError("The method compares with averaged weights; give --ema-decay .99.")
        if "style" in self.method.reads and isinstance(self.method.style, NoStyle):
            raise InputError(
                "The method has a term on restyled views, but no style. Give Method(style=...), "
                "such as FourierStyle()."
            )
        if "crops" in self.method.reads:
            size = small_windows(self.augment).crop_size
            if size != self.augment.size and not self.model.any_size:
                raise InputError(
                    f"Small windows are of {size} px, and the model's features depend on the size "
                    f"of images. Give --augment.crop-size {self.augment.size}, or another model, "
                    "such as ConvNet(pooled=True)."
                )


ELSEWHERE = (
    "targets", "seeds", "threads", "workers", "root", "cache", "follow_links", "chunks", "remat",
    "sharding",
)  # fmt: skip
"""Fields that say which runs to make, where, how fast and in how much memory, but not what comes
out of one, rounding aside."""


def as_code(value: object, indent: int = 0) -> str:
    """The ``repr`` of settings, one field a line where they have several; reads back as code."""
    inner, outer = " " * (indent + 4), " " * indent
    if dataclasses.is_dataclass(value) and dataclasses.fields(value):
        lines = [
            f"{field.name}={as_code(getattr(value, field.name), indent + 4)}"
            for field in dataclasses.fields(value)
        ]
        body = "".join(f"{inner}{line},\n" for line in lines)
        return f"{type(value).__name__}(\n{body}{outer})"
    if isinstance(value, dict):
        body = "".join(f"{inner}{k!r}: {as_code(v, indent + 4)},\n" for k, v in value.items())
        return f"{{\n{body}{outer}}}"
    return repr(value)


def imports(value: object) -> list[str]:
    """The statements that bring in the names of :func:`as_code`, sorted."""
    found: set[str] = set()

    def walk(value: object) -> None:
        if dataclasses.is_dataclass(value):
            found.add(f"from {type(value).__module__} import {type(value).__qualname__}")
            for field in dataclasses.fields(value):
                walk(getattr(value, field.name))
        elif isinstance(value, dict | tuple):
            for part in value.values() if isinstance(value, dict) else value:
                walk(part)

    walk(value)
    return sorted(found)


def differences(saved: str, experiment: Experiment) -> list[str]:
    """What would make runs of ``experiment`` differ from those of one saved by :func:`as_code`.

    A setting that there was not yet when it was saved is taken to have been at its default.

    Returns:
        One line for each field that differs: its name, the saved value, the new one.
    """
    before, now = _flat(saved), _flat(as_code(experiment))
    before |= _missing(before, experiment)
    return [
        f"{name}: {before.get(name, 'absent')} there, {now.get(name, 'absent')} here"
        for name in dict.fromkeys((*before, *now))
        if before.get(name) != now.get(name) and name.split(".")[-1] not in ELSEWHERE
    ]


def outcome(experiment: Experiment) -> str:
    """All that decides what comes out of the experiment's runs: its code without the rest."""
    settings = _flat(as_code(experiment)).items()
    decisive = [f"{k} = {v}" for k, v in settings if k.split(".")[-1] not in ELSEWHERE]
    return "\n".join(decisive)


def _missing(saved: dict[str, str], value: object, path: str = "") -> dict[str, str]:
    """The defaults of settings that ``saved`` does not have, as :func:`_flat` has them."""
    found: dict[str, str] = {}
    if isinstance(value, dict):
        for key, part in value.items():
            found |= _missing(saved, part, f"{path}{key}.")
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            here, default = f"{path}{field.name}", field.default
            if any(name == here or name.startswith(f"{here}.") for name in saved):
                found |= _missing(saved, getattr(value, field.name), f"{here}.")
                continue
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            if default is not dataclasses.MISSING:
                code = _flat(as_code(default))
                found |= {f"{here}.{name}".rstrip("."): told for name, told in code.items()}
    return found


def _flat(code: str) -> dict[str, str]:
    """Every setting of an experiment's code by its path."""
    found: dict[str, str] = {}

    def walk(node: ast.expr, path: str) -> None:
        if isinstance(node, ast.Call):
            found[path] = ast.unparse(node.func)
            for keyword in node.keywords:
                walk(keyword.value, f"{path}.{keyword.arg}".lstrip("."))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                name = key.value if isinstance(key, ast.Constant) else key
                walk(value, f"{path}.{name}")
        else:
            found[path] = ast.unparse(node)

    walk(ast.parse(code, mode="eval").body, "")
    return found


def _flag(field: str) -> str:
    return "--" + field.replace("_", "-")
