"""Weights that torch has saved, in networks written in torch and in ours: where torch is there."""

import jax
import numpy as np
import pytest

from jaxclr.models.pretrained import pretrained
from jaxclr.models.resnet import ResNet
from jaxclr.models.vit import Vit, resampled

torch = pytest.importorskip("torch")
networks = pytest.importorskip("torch_networks")

K = 11
CASES = {
    "resnet18": (ResNet(), lambda: networks.TorchResNet(networks.Basic, (2, 2, 2, 2), K)),
    "resnet34": (ResNet(34), lambda: networks.TorchResNet(networks.Basic, (3, 4, 6, 3), K)),
    "resnet50": (ResNet(50), lambda: networks.TorchResNet(networks.Narrowed, (3, 4, 6, 3), K)),
    "vit": (Vit(size=64), lambda: networks.TorchVit(K, size=64)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_the_network_that_torch_saved(name, tmp_path):
    model, build = CASES[name]
    theirs = networks.randomised(build())
    path = tmp_path / "weights.pth"
    torch.save(theirs.state_dict(), path)
    ours, origin = pretrained(
        model, model.build(K, seed=0), weights=str(path), target="photo", seed=1
    )
    images = np.random.default_rng(0).normal(size=(3, 64, 64, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    call = jax.jit(lambda p, s, x: ours(p, s, x, groups=1, train=False)[0].logits)
    found = call(ours.params, ours.stats, images)
    gap, size = np.abs(found - expected).max(), np.abs(expected).max()
    print(f"{name}: logits to {size:.3g}, apart by {gap:.2g}; {origin.loaded}")
    count = sum(x.size for x in jax.tree.leaves(ours.params))
    assert origin.loaded.startswith(f"{count:,} of {count:,} parameters")
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("side", [2, 6, 14, 24])
def test_positions_are_interpolated_as_torch_does_with_widened_kernels(side):
    array = np.random.default_rng(0).normal(size=(1, 1 + 14 * 14, 5)).astype(np.float32)
    square = torch.from_numpy(array[:, 1:]).reshape(1, 14, 14, 5).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(
        square, size=(side, side), mode="bicubic", antialias=True, align_corners=False
    )
    found = resampled("pos_embed", array, (1, 1 + side * side, 5))
    np.testing.assert_array_equal(found[:, 0], array[:, 0])
    expected = expected.permute(0, 2, 3, 1).reshape(1, side * side, 5).numpy()
    np.testing.assert_allclose(found[:, 1:], expected, rtol=1e-4, atol=1e-5)
