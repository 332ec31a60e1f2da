"""``python -m jaxclr.export --run RUN --output DIR``: a run's network for others to use."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxclr.errors import InputError, exit_code

# What takes long to import comes in later: --help need not wait for it.
if TYPE_CHECKING:
    from jaxclr.saved import Saved

PROGRAM = "python -m jaxclr.export"
ABOUT = (
    "Write the network of a finished run for others to use: model.stablehlo, one function from "
    "images to probabilities and features that JAX calls without jaxclr; model.safetensors, the "
    "weights, in the names of torchvision or timm where these have such a network; README.md, a "
    "model card; and config.json, the classes and how images are prepared."
)
FORMATS = ("stablehlo", "safetensors", "card")
STABLEHLO, WEIGHTS, CARD, CONFIG = (
    "model.stablehlo", "model.safetensors", "README.md", "config.json",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0, 1 for a failure, 2 for bad input."""
    given = sys.argv[1:] if argv is None else list(argv)
    return exit_code(lambda: _main(given), interrupted="Give the same command again.")


def _main(argv: list[str]) -> int:
    chosen = _parser().parse_args(argv)

    from jaxclr.pipeline.files import printable
    from jaxclr.progress import amount
    from jaxclr.saved import read_saved

    if chosen.output.exists() and not chosen.output.is_dir():
        raise InputError(f"{chosen.output} is a file. Give the folder to write to by --output.")
    saved = read_saved(chosen.run)
    for path in export(saved, chosen.output, formats=chosen.formats, license=chosen.license):
        print(f"{printable(str(path))}  {amount(path.stat().st_size)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ABOUT, allow_abbrev=False)
    parser.add_argument(
        "--run", metavar="RUN", type=Path, required=True,
        help="folder of a finished run, such as runs/digits_fixclr/print/seed1",
    )  # fmt: skip
    parser.add_argument(
        "--output", metavar="DIR", type=Path, required=True, help="folder to write into"
    )
    parser.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=FORMATS,
        help="what to write; by default all",
    )  # fmt: skip
    parser.add_argument(
        "--license", metavar="NAME", default="unknown",
        help="license of the weights for the card, as Hugging Face names it; nobody else can know",
    )  # fmt: skip
    return parser


def export(
    saved: "Saved", folder: Path, *,
    formats: Sequence[str] = FORMATS, license: str = "unknown",
) -> list[Path]:  # fmt: skip
    """Writes files into a folder, each whole or not at all.

    Args:
        saved: The run.
        folder: Made where there is none.
        formats: Some of ``FORMATS``; ``config.json`` comes with all of them.
        license: Of the weights, for the card.

    Returns:
        What was written.

    Raises:
        InputError: What writes a format is not installed.
    """
    import json

    from jaxclr.export.card import card
    from jaxclr.export.stablehlo import serialised
    from jaxclr.pipeline.atomic import replacing
    from jaxclr.predict.writers import text_of

    saved = saved._replace(classes=tuple(map(text_of, saved.classes)))
    files: dict[str, bytes] = {}
    if "stablehlo" in formats:
        files[STABLEHLO] = serialised(saved)
    names = torch_names(saved)
    if "safetensors" in formats:
        files[WEIGHTS] = weights(saved)
    files[CONFIG] = json.dumps(config(saved, [*files]), indent=2, ensure_ascii=False).encode()
    if "card" in formats:
        text = card(saved, files=[*files], license=license, torch_names=names)
        files[CARD] = text.encode()
    for name, data in files.items():
        with replacing(folder / name) as file:
            file.write(data)
    return [folder / name for name in files]


def torch_names(saved: "Saved") -> str | None:
    """Whose names the weights get; None where nobody else has such a network."""
    from jaxclr.models.resnet import ResNet
    from jaxclr.models.vit import Vit

    kinds = ((ResNet, "torchvision"), (Vit, "timm"))
    return next((name for kind, name in kinds if isinstance(saved.experiment.model, kind)), None)


def weights(saved: "Saved") -> bytes:
    """The weights as safetensors.

    In the names of torchvision or timm they are what predictions need: without projector and
    predictor; but a classifier that torch does not have stays, and what it reads, under their own
    names.
    """
    from safetensors.numpy import save

    from jaxclr.models.store import PARAMS
    from jaxclr.models.torch_names import for_torch
    from jaxclr.models.weights import read_arrays

    own = read_arrays(saved.folder / "weights.npz")
    naming = saved.experiment.model.naming
    if naming is None or torch_names(saved) is None:
        return save(own, {"format": "np"})
    arrays, nameless = for_torch(saved.network.params, saved.network.stats, naming)
    if any(name.startswith("head/") for name in nameless):
        kept = (f"{PARAMS}/{name}" for name in nameless if not name.startswith("predictor/"))
        arrays |= {name: own[name] for name in kept if name in own}
    return save(arrays, {"format": "pt"})


def config(saved: "Saved", files: Sequence[str]) -> dict[str, Any]:
    """The classes, and what has to be done with an image before the network sees it.

    Args:
        saved: The run.
        files: Names of the files beside it.
    """
    from jaxclr.export.stablehlo import PLATFORMS, outputs_of
    from jaxclr.predict.writers import text_of

    experiment, size = saved.experiment, saved.experiment.augment.size
    told: dict[str, Any] = {
        "library": "jaxclr",
        "experiment": experiment.name,
        "dataset": experiment.dataset.name,
        "target": text_of(saved.results["target"]),
        "seed": saved.results["seed"],
        "model": type(experiment.model).__name__,
        "classes": saved.classes,
        "features": saved.network.width,
        "preprocessing": {
            "size": size,
            "color": "RGB",
            "resize": "the shorter side to size, the longer to floor(size * longer / shorter)",
            "interpolation": "bilinear, as Pillow's: smoothed where the image shrinks",
            "crop": "the central square; what is over on the left and on the top is "
            "round((side - size) / 2), half to even",
            "scale": "divided by 255, less mean, divided by std",
            "mean": experiment.augment.mean,
            "std": experiment.augment.std,
        },
    }
    if STABLEHLO in files:
        told["stablehlo"] = {
            "input": f"uint8 [b, {size}, {size}, 3], resized and cropped, but not scaled",
            "outputs": outputs_of(saved),
            "platforms": PLATFORMS,
        }
    if WEIGHTS in files:
        told["safetensors"] = {"names": torch_names(saved) or "jaxclr"}
    return told
