"""Networks in torch load what is written for them, and say the same: where torch is there."""

import jax
import numpy as np
import pytest

from jaxclr.models.resnet import ResNet
from jaxclr.models.torch_names import for_torch
from jaxclr.models.vit import Vit

torch = pytest.importorskip("torch")
networks = pytest.importorskip("torch_networks")

K = 11
CASES = {
    "resnet18": (ResNet(), lambda: networks.TorchResNet(networks.Basic, (2, 2, 2, 2), K)),
    "resnet50": (ResNet(50), lambda: networks.TorchResNet(networks.Narrowed, (3, 4, 6, 3), K)),
    "vit": (Vit(size=64), lambda: networks.TorchVit(K, size=64)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_torch_loads_them_all_and_gives_the_same_logits(name):
    model, build = CASES[name]
    ours, rng = model.build(K, seed=0), np.random.default_rng(1)
    # Norms and biases unlike those that networks start with; variances stay positive.
    params, stats = jax.tree.map(
        lambda x: np.float32(x + rng.uniform(0, 0.2, x.shape)) if x.ndim == 1 else x,
        (ours.params, ours.stats),
    )
    theirs = build()
    arrays = for_torch(params, stats, model.naming).arrays
    theirs.load_state_dict({n: torch.from_numpy(x) for n, x in arrays.items()}, strict=True)
    theirs.eval()
    images = rng.normal(size=(3, 64, 64, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    call = jax.jit(lambda p, s, x: ours(p, s, x, groups=1, train=False)[0].logits)
    found = np.asarray(call(params, stats, images))
    scale = np.abs(expected).max()
    assert expected.std(0).max() > 1e-3 * scale
    np.testing.assert_allclose(found / scale, expected / scale, rtol=1e-4, atol=1e-4)
