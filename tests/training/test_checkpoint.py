import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.errors import JaxclrError
from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.state import TrainState


def state(value: float, width: int = 3) -> TrainState:
    kernel = jnp.full((width,), value)
    return TrainState(
        jnp.int32(value), jnp.uint32(3), {"kernel": kernel}, {"mean": -kernel}, (), (), (), {}
    )


def save(folder, accuracies):
    """Each save by a manager of its own, as if the run had been started anew each time."""
    for step, accuracy in enumerate(accuracies, 1):
        checkpoints = Checkpoints(folder)
        checkpoints.save(step, state(step), seconds=10.0 * step, source_accuracy=accuracy)
        checkpoints.close()


def test_the_last_two_and_the_best_by_source_accuracy_are_kept(tmp_path):
    save(tmp_path, [50.0, 90.0, 60.0, 70.0, 80.0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "4", "5"]


def test_one_that_was_not_tested_is_never_the_best_and_goes_when_it_is_old(tmp_path):
    """Its window comes back with it, to the last bit."""
    window = {"/steps": 2.0, "loss": 0.1 + 0.2}
    for step, accuracy in enumerate([90.0, None, 60.0, 70.0, None], 1):
        checkpoints = Checkpoints(tmp_path)
        checkpoints.save(step, state(step), seconds=1.0, source_accuracy=accuracy, window=window)
        checkpoints.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "4", "5"]
    checkpoints = Checkpoints(tmp_path)
    found = checkpoints.restore(state(0))
    checkpoints.close()
    assert found is not None
    assert (found.step, found.window) == (5, window)


def test_what_was_saved_comes_back_bit_for_bit_with_its_step_and_time(tmp_path):
    save(tmp_path, [1.0, 2.0])
    checkpoints = Checkpoints(tmp_path)
    found = checkpoints.restore(state(0))
    checkpoints.close()
    assert found is not None
    assert (found.step, found.seconds) == (2, 20.0)
    np.testing.assert_array_equal(found.state.params["kernel"], state(2).params["kernel"])
    np.testing.assert_array_equal(found.state.stats["mean"], state(2).stats["mean"])
    assert found.state.ema == {}


def test_nothing_saved_is_nothing_restored(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new")
    assert checkpoints.restore(state(0)) is None
    checkpoints.close()


def test_a_state_saved_on_one_device_is_restored_onto_eight(tmp_path):
    import jax

    from jaxclr.training.layout import make_layout

    save(tmp_path, [1.0])
    checkpoints = Checkpoints(tmp_path)
    found = checkpoints.restore(make_layout(8).put_state(state(0)))
    checkpoints.close()
    assert found is not None
    assert len(found.state.params["kernel"].sharding.device_set) == len(jax.devices()) == 8


def test_a_checkpoint_of_another_shape_is_refused_with_a_way_out(tmp_path):
    save(tmp_path, [1.0])
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(JaxclrError, match=r"step 1 .* does not fit .*--workdir"):
        checkpoints.restore(state(0, width=4))
    checkpoints.close()
