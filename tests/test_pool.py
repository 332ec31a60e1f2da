"""Many jobs, of shell scripts that tell of themselves by the files they leave."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from scripted import FINISH, saves, scripted, wait_for

from jaxclr.errors import JaxclrError
from jaxclr.executors import Local
from jaxclr.pool import Pool


@pytest.fixture(autouse=True)
def heeded():
    """What is started in the background of a shell has interruptions ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pool(slots: int = 1) -> tuple[Pool, list[str]]:
    told: list[str] = []
    executor = Local([{"CUDA_VISIBLE_DEVICES": str(slot)} for slot in range(slots)])
    return Pool(executor, told.append, lambda job: ": well"), told


def interrupt(number: signal.Signals, *, when: Path) -> threading.Thread:
    """Sends this process a signal once there is a file."""

    def send() -> None:
        wait_for(when)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def gone(job) -> bool:
    """Whether nothing that the job started is alive: it would hold the lock of its log."""
    for _ in range(100):
        try:
            with job.start({}) as process:
                process.kill()
            return True
        except JaxclrError:
            time.sleep(0.05)
    return False


def test_no_two_jobs_have_one_slot_at_a_time_and_every_slot_is_used(tmp_path):
    """A directory can be made once: a job that finds its slot's there fails."""
    script = (
        "mkdir ../held$CUDA_VISIBLE_DEVICES && sleep 0.5 && rmdir ../held$CUDA_VISIBLE_DEVICES && "
        f"touch ../used$CUDA_VISIBLE_DEVICES && {FINISH}"
    )
    jobs = [scripted(tmp_path, f"job{number}", script) for number in range(5)]
    made, told = pool(slots=2)
    made.make(jobs)
    assert all(job.results.exists() for job in jobs)
    assert not made.failures
    assert {path.name for path in tmp_path.glob("used*")} == {"used0", "used1"}
    begun = [line.split()[2] for line in told if " started " in line]
    assert begun == [job.title for job in jobs]
    assert not [line for line in told if " failed " in line]
    assert "5/5 finished)" in told[-1]
    assert ": well, " in told[-1]


def test_a_job_that_fails_once_is_tried_again_and_is_no_failure(tmp_path):
    job = scripted(tmp_path, "job", f"[ -e tried ] || {{ touch tried; exit 3; }}; {FINISH}")
    made, told = pool()
    made.make([job])
    assert not made.failures
    assert [line.split()[1] for line in told] == ["started", "failed", "started", "finished"]
    assert "exit code 3; will be tried again" in told[1]


def test_a_job_that_fails_twice_is_given_up_with_its_reason_and_the_others_are_made(tmp_path):
    bad = scripted(tmp_path, "bad", "echo tried >> tries; echo the reason; exit 5")
    good = scripted(tmp_path, "good", FINISH)
    made, told = pool()
    made.make([bad, good])
    assert [(failure.job, failure.problem) for failure in made.failures] == [(bad, "exit code 5")]
    assert (bad.folder / "tries").read_text() == "tried\n" * 2
    assert bad.last_lines(1) == ["the reason"]
    assert good.results.exists()
    assert [line for line in told if "exit code 5; given up  (1/2 finished, 1 failed" in line]


def test_a_job_that_ends_well_but_without_results_has_failed(tmp_path):
    made, _ = pool()
    made.make([scripted(tmp_path, "job", "exit 0")])
    assert made.failures[0].problem == "stopped before its end"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interruption_lets_jobs_save_starts_no_other_and_tells_what_is_left(tmp_path, number):
    jobs = [scripted(tmp_path, name, saves()) for name in ("first", "second", "third")]
    made, told = pool(slots=2)
    before = signal.getsignal(number)
    thread = interrupt(number, when=jobs[1].folder / "begun")
    with pytest.raises(KeyboardInterrupt):
        made.make(jobs)
    thread.join()
    assert [(job.folder / "saved").exists() for job in jobs] == [True, True, False]
    assert not jobs[2].folder.exists()
    assert told[-1] == "3 of 3 runs are left: third, first, second."
    assert signal.getsignal(number) == before


def test_a_second_interruption_ends_jobs_that_do_not_stop(tmp_path):
    job = scripted(
        tmp_path, "job", "trap 'echo > asked' TERM; echo > begun; while :; do sleep 0.02; done"
    )
    made, _ = pool()
    threads = [
        interrupt(signal.SIGTERM, when=job.folder / "begun"),
        interrupt(signal.SIGINT, when=job.folder / "asked"),
    ]
    with pytest.raises(KeyboardInterrupt):
        made.make([job])
    for thread in threads:
        thread.join()
    assert gone(job)


def test_when_jobs_are_not_taken_those_that_run_are_stopped(tmp_path):
    class Full(Local):
        def submit(self, jobs):
            if (jobs[0].title) == "second":
                wait_for(tmp_path / "first" / "begun")
                raise JaxclrError("no more")
            return super().submit(jobs)

    class OneByOne(Full):
        @property
        def room(self):
            return min(super().room, 1)

    jobs = [scripted(tmp_path, name, saves()) for name in ("first", "second")]
    told: list[str] = []
    with pytest.raises(JaxclrError, match="no more"):
        Pool(OneByOne([{}, {}]), told.append, str).make(jobs)
    assert (tmp_path / "first" / "saved").exists()
    assert told[-1].startswith("2 of 2 runs are left")
