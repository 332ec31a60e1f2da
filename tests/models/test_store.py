import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.errors import InputError
from jaxclr.models.convnet import ConvNet
from jaxclr.models.prior import Encoder, NoPrior
from jaxclr.models.store import is_own, read_own, write_own

SMALL = ConvNet(width=4, size=16)


def written(folder, model=SMALL, seed=1):
    network = model.build(3, seed=seed)
    stats = jax.tree.map(lambda x: x + 2, network.stats)
    write_own(folder / "weights.npz", network.params, stats)
    return network.params, stats


def test_a_run_s_weights_come_back_into_the_backbone(tmp_path):
    params, stats = written(tmp_path)
    network, (found, found_stats) = Encoder(SMALL, str(tmp_path / "weights.npz")).load(
        target="night", seed=1
    )
    for kind, a, b in (("params", params, found), ("stats", stats, found_stats)):
        same = jax.tree.map(np.array_equal, a["backbone"], b["backbone"])
        assert jax.tree.all(same), kind
    # The classifier is the encoder's own, of the one class that it needs.
    assert found["head"]["kernel"].shape == (4, 1)
    images = jnp.zeros((2, 16, 16, 3))
    prediction, _ = network(found, found_stats, images, groups=1, train=False)
    assert prediction.features.shape == (2, 4)


def test_names_say_whose_file_it_is(tmp_path):
    written(tmp_path)
    with np.load(tmp_path / "weights.npz") as arrays:
        assert is_own(arrays)
        assert {"params/backbone/conv1/kernel", "stats/backbone/norm1/mean"} <= set(arrays)
    assert not is_own({"conv1.weight": np.zeros(1)})


def test_weights_of_another_width_are_refused_by_name_and_shape(tmp_path):
    written(tmp_path, ConvNet(width=5, size=16))
    with pytest.raises(InputError, match=r"conv1/kernel must be of shape \(3, 3, 3, 4\).*3, 5\)"):
        Encoder(SMALL, str(tmp_path / "weights.npz")).load(target="night", seed=1)


def test_a_missing_array_is_named(tmp_path):
    params, stats = written(tmp_path)
    with np.load(tmp_path / "weights.npz") as file:
        arrays = {name: file[name] for name in file if not name.endswith("conv3/kernel")}
    with pytest.raises(InputError, match=r"backbone/conv3/kernel must be.* is missing"):
        read_own(tmp_path, arrays, params, stats)


def test_torchvision_s_names_need_a_resnet(tmp_path):
    np.savez(tmp_path / "other.npz", **{"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)})
    with pytest.raises(InputError, match="only a ResNet has"):
        Encoder(SMALL, str(tmp_path / "other.npz")).load(target="night", seed=1)


def test_no_encoder_is_none():
    assert NoPrior().load(target="night", seed=1) is None


def test_every_run_may_have_an_encoder_of_its_own(tmp_path):
    folder = tmp_path / "night" / "seed3"
    folder.mkdir(parents=True)
    params, _ = written(folder)
    encoder = Encoder(SMALL, str(tmp_path / "{target}/seed{seed}/weights.npz"))
    _, (found, _) = encoder.load(target="night", seed=3)
    np.testing.assert_array_equal(
        found["backbone"]["conv1"]["kernel"], params["backbone"]["conv1"]["kernel"]
    )
    with pytest.raises(InputError, match="day/seed3"):
        encoder.load(target="day", seed=3)
