"""How a card says that its files are loaded, in JAX and in torch."""

from jaxclr.export.stablehlo import outputs_of
from jaxclr.models.resnet import ResNet
from jaxclr.models.vit import Vit
from jaxclr.saved import Saved

IMAGE = """\
config = json.load(open("config.json"))
size = config["preprocessing"]["size"]
image = Image.open("photo.jpg").convert("RGB")
width, height = (size * side // min(image.size) for side in image.size)
left, top = round((width - size) / 2), round((height - size) / 2)
image = image.resize((width, height), Image.Resampling.BILINEAR)
image = image.crop((left, top, left + size, top + size))"""

JAX = """\
import json

import numpy as np
from jax import export
from PIL import Image

{image}

model = export.deserialize(bytearray(open("model.stablehlo", "rb").read()))
{outputs} = model.call(np.asarray(image)[None])
print({told})"""

TORCH = """\
import json

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
{imported}

{image}

model = {built}
model.load_state_dict(load_file("model.safetensors"){strict})
model.eval()
mean, std = (torch.tensor(config["preprocessing"][name])[:, None, None] for name in ("mean", "std"))
pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
with torch.no_grad():
    probabilities = model(((pixels - mean) / std)[None]).softmax(-1)
print(config["classes"][int(probabilities[0].argmax())])"""


def in_jax(saved: Saved) -> str:
    """How ``model.stablehlo`` is called."""
    outputs = outputs_of(saved)
    told = 'config["classes"][int(probabilities[0].argmax())]'
    if "probabilities" not in outputs:
        told = "features.shape"
    names = ", ".join(outputs) + ("," if len(outputs) == 1 else "")
    code = JAX.format(image=IMAGE, outputs=names, told=told)
    return (
        "In JAX, without jaxclr (`pip install jax flatbuffers pillow`); any number of images may "
        f"come at once:\n\n```python\n{code}\n```\n\n"
        "JAX reads such a file for six months after the version that wrote it; then it has to be "
        "exported anew."
    )


def in_torch(saved: Saved, names: str | None) -> str:
    """How ``model.safetensors`` is loaded.

    Args:
        saved: The run.
        names: Whose names it has; None: jaxclr's own.
    """
    model = saved.experiment.model
    if names is None or not isinstance(model, ResNet | Vit):
        return (
            "`model.safetensors` holds the weights under jaxclr's own names, such as "
            "`params/backbone/conv1/kernel`: kernels as height, width, input, output."
        )
    imported, built = _network(model, len(saved.classes))
    whole = _is_linear(saved)
    code = TORCH.format(
        image=IMAGE, imported=imported, built=built, strict="" if whole else ", strict=False"
    )
    notes = f"`model.safetensors` holds the weights under the names of {names}."
    if not whole:
        notes += (
            " The classifier is none that there is in torch: its arrays have jaxclr's own names, "
            "and the last layer below stays untrained."
        )
    told = f"{notes} In torch:\n\n```python\n{code}\n```"
    return told if isinstance(model, Vit) else f"{told}\n\n{NORM}"


NORM = (
    "In training, batch norm went by the statistics of each domain by itself. In testing it goes "
    "by running statistics that all domains have left, which is plain batch norm after `eval()`."
)


def _is_linear(saved: Saved) -> bool:
    return set(saved.network.params["head"]) == {"kernel", "bias"}


def _network(model: ResNet | Vit, count: int) -> tuple[str, str]:
    """The import, and the expression, of the same network in torch."""
    if isinstance(model, Vit):
        settings = (
            f"img_size={model.size}, patch_size={model.patch}, embed_dim={model.width}, "
            f"depth={model.depth}, num_heads={model.heads}, num_classes={count}"
        )
        return "from timm.models import VisionTransformer", f"VisionTransformer({settings})"
    built = f"resnet{model.depth}(num_classes={count})"
    if model.stem == "small":
        built += (
            "\nmodel.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)"
            "\nmodel.maxpool = torch.nn.Identity()"
        )
    return f"from torchvision.models import resnet{model.depth}", built
