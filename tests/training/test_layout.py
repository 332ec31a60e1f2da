import jax
import numpy as np
import pytest

from jaxclr.errors import InputError
from jaxclr.training.layout import make_layout


def test_rows_that_cannot_be_shared_out_are_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"--batch-per-domain 6 .* 8 devices.*multiple of 8"):
        make_layout(6)


def test_each_device_holds_its_own_rows_and_the_whole_state():
    layout = make_layout(16)
    batch = layout.put_batch(np.arange(32))
    held = [shard.data.tolist() for shard in batch.addressable_shards]
    assert held == [[4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3] for i in range(8)]
    state = layout.put_state({"a": np.arange(3)})
    assert all(shard.data.tolist() == [0, 1, 2] for shard in state["a"].addressable_shards)


def test_a_state_on_the_devices_does_not_share_memory_with_the_host():
    given = np.zeros(64, np.float32)
    put = make_layout(1, jax.devices()[:1]).put_state(given)
    given += 1
    assert not np.asarray(put).any()


def test_a_process_alone_has_all_rows():
    for devices in (jax.devices(), jax.devices()[:1]):
        layout = make_layout(16, devices)
        assert range(16)[layout.rows(16)] == range(16)
        assert (layout.num_processes, layout.num_devices) == (1, len(devices))


def test_a_state_spread_out_is_like_the_state_put_there():
    layout, given = make_layout(8), {"a": np.zeros((3, 2), np.float32), "b": np.int32(4)}
    put, like = layout.put_state(given), layout.spread(given)
    for name, array in put.items():
        assert (like[name].shape, like[name].dtype) == (array.shape, array.dtype)
        assert like[name].sharding == array.sharding
