import os

import pytest

from jaxclr.accelerators import Accelerators, accelerators, slots
from jaxclr.errors import InputError, JaxclrError

VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
)  # fmt: skip
CUDA = Accelerators("cuda", 4)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_jax_is_asked_in_another_process(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    assert accelerators() == ("cpu", 3)


def test_that_jax_does_not_start_is_told_with_its_reason(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "nowhere")
    with pytest.raises(JaxclrError, match="nowhere"):
        accelerators()


@pytest.mark.parametrize(
    "platform, variable",
    [
        ("cuda", "CUDA_VISIBLE_DEVICES"),
        ("rocm", "ROCR_VISIBLE_DEVICES"),
        ("tpu", "TPU_VISIBLE_CHIPS"),
    ],
)
def test_every_accelerator_has_one_run_that_sees_it_alone(platform, variable):
    found = slots(Accelerators(platform, 3), None, None)
    assert [slot[variable] for slot in found] == ["0", "1", "2"]


def test_runs_may_have_several_accelerators_each_and_none_is_seen_twice():
    found = slots(CUDA, None, 2)
    assert found == [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slots(CUDA, None, 3)] == ["0,1,2"]


def test_fewer_runs_than_accelerators_take_the_first_ones():
    assert slots(CUDA, 1, None) == [{"CUDA_VISIBLE_DEVICES": "0"}]


def test_only_those_are_given_on_that_this_process_sees(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-7")
    found = slots(Accelerators("cuda", 2), None, None)
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in found] == ["5", "GPU-7"]
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "3")
    assert slots(Accelerators("rocm", 1), None, None) == [{"HIP_VISIBLE_DEVICES": "3"}]


def test_runs_that_share_an_accelerator_share_its_memory(monkeypatch):
    found = slots(Accelerators("cuda", 2), 4, None)
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in found] == ["0", "1", "0", "1"]
    assert [float(slot["XLA_PYTHON_CLIENT_MEM_FRACTION"]) for slot in found] == [0.45] * 4
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.2")
    assert slots(Accelerators("cuda", 1), 2, None) == [{"CUDA_VISIBLE_DEVICES": "0"}] * 2


def test_without_accelerators_two_processors_make_a_run():
    processors = len(os.sched_getaffinity(0))
    assert slots(Accelerators("cpu", 8), None, None) == [{}] * max(processors // 2, 1)
    assert slots(Accelerators("cpu", 1), 5, None) == [{}] * 5


@pytest.mark.parametrize(
    "found, per_run", [(CUDA, 5), (Accelerators("tpu", 4), 2), (Accelerators("cpu", 1), 1)]
)
def test_more_accelerators_than_can_be_given_are_refused(found, per_run):
    with pytest.raises(InputError, match="--gpus-per-run"):
        slots(found, None, per_run)
