"""A job by itself: its log, its lock, and how it makes way where Slurm has put it."""

import os
import pickle
import signal
import threading

import pytest
from scripted import FINISH, saves, scripted, wait_for

from jaxclr.errors import JaxclrError


@pytest.fixture
def signals():
    """Puts back how this process takes signals."""
    numbers = (signal.SIGUSR2, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_log_holds_the_command_and_what_it_said_of_every_try(tmp_path):
    job = scripted(tmp_path, "job", "echo out; echo wrong >&2")
    for _ in range(2):
        job.start({}).wait()
    lines = job.log.read_text().splitlines()
    assert lines == [lines[0], "out", "wrong"] * 2
    assert lines[0].startswith("$ sh -c ")


def test_the_environment_is_that_of_this_process_and_what_is_set_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/cache")
    job = scripted(tmp_path, "job", "echo $JAX_COMPILATION_CACHE_DIR $SLOT")
    job.start({"SLOT": "2"}).wait()
    assert job.last_lines(1) == ["/cache 2"]


def test_a_run_that_is_being_made_is_not_started_again_until_that_has_ended(tmp_path):
    job = scripted(tmp_path, "job", saves())
    with job.start({}) as process:
        wait_for(job.folder / "begun")
        try:
            with pytest.raises(JaxclrError, match="another process is making this run"):
                job.start({}).kill()
        finally:
            process.terminate()
    with job.start({}) as process:
        process.kill()


def test_called_it_says_why_a_run_is_not_finished(tmp_path, signals):
    assert scripted(tmp_path, "good", FINISH)() is None
    assert scripted(tmp_path, "bad", "exit 4")() == "exit code 4"
    assert scripted(tmp_path, "dead", "kill -9 $$")() == "ended by signal 9 (Killed)"


def test_it_can_be_pickled_and_its_checkpoint_is_itself(tmp_path):
    job = scripted(tmp_path, "job", FINISH)
    assert pickle.loads(pickle.dumps(job)) == job
    assert job.checkpoint().function is job


def send(number, when) -> threading.Thread:
    def wait_and_send() -> None:
        wait_for(when)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait_and_send)
    thread.start()
    return thread


def test_told_that_its_time_is_over_it_lets_the_run_save_and_then_queues_it_anew(tmp_path, signals):
    requeued = []
    job = scripted(tmp_path, "job", saves())
    signal.signal(signal.SIGUSR2, lambda *_: requeued.append((job.folder / "saved").exists()))
    thread = send(signal.SIGUSR2, when=job.folder / "begun")
    with pytest.raises(SystemExit):
        job()
    thread.join()
    assert requeued == [True]


def test_the_signal_that_time_is_over_does_not_end_the_run_itself(tmp_path, signals):
    """Slurm may send it to all processes of a job."""
    job = scripted(tmp_path, "job", f"kill -USR2 $$; {FINISH}")
    assert job() is None


def test_a_run_that_would_end_at_once_if_asked_twice_is_asked_once(tmp_path, signals):
    """Some clusters send TERM and then say that the time is over."""
    requeued = []
    signal.signal(signal.SIGUSR2, lambda *_: requeued.append(True))
    slow = "trap 'trap - TERM; echo > asked; sleep 0.3; echo > saved; exit 0' TERM"
    job = scripted(tmp_path, "job", f"{slow}; echo > begun; while :; do sleep 0.02; done")
    threads = [
        send(signal.SIGTERM, when=job.folder / "begun"),
        send(signal.SIGUSR2, when=job.folder / "asked"),
    ]
    with pytest.raises(SystemExit):
        job()
    for thread in threads:
        thread.join()
    assert (job.folder / "saved").exists()
    assert requeued


def test_asked_to_end_it_lets_the_run_save_and_queues_nothing(tmp_path, signals):
    requeued = []
    signal.signal(signal.SIGUSR2, lambda *_: requeued.append(True))
    job = scripted(tmp_path, "job", saves())
    thread = send(signal.SIGTERM, when=job.folder / "begun")
    with pytest.raises(SystemExit):
        job()
    thread.join()
    assert (job.folder / "saved").exists()
    assert not requeued


def test_a_run_that_finishes_though_its_time_is_over_is_finished(tmp_path, signals):
    requeued = []
    signal.signal(signal.SIGUSR2, lambda *_: requeued.append(True))
    job = scripted(tmp_path, "job", saves("results.json"))
    thread = send(signal.SIGUSR2, when=job.folder / "begun")
    assert job() is None
    thread.join()
    assert not requeued
