"""Slurm, played by scripts that stand in for its commands; local slots are in test_pool.py."""

import os
import stat
import time
from pathlib import Path

import pytest
from scripted import FINISH, saves, scripted, wait_for

from jaxclr.errors import InputError, JaxclrError
from jaxclr.executors import Local, Slurm

COMMANDS = {
    # Runs every task of the array it is given, at once and on this machine.
    "sbatch": """
        # As Slurm does: the file itself is moved elsewhere once this has ended.
        sent="$PLAYED/sent$(ls "$PLAYED" | wc -l)"
        cp "$1" "$sent"
        last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$sent")
        export SLURM_JOB_ID=77
        if [ -n "$last" ]; then
            for task in $(seq 0 "$last"); do
                SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=$task sh "$sent" > /dev/null 2>&1 &
            done
        else
            sh "$sent" > /dev/null 2>&1 &
        fi
        echo "Submitted batch job 77"
        """,
    "srun": """
        while [ "${1#--}" != "$1" ]; do
            case "$1" in
                --output) exec > "$(echo "$2" | sed "s/%t/0/;s/%j/${SLURM_JOB_ID}/")" 2>&1; shift;;
            esac
            shift
        done
        exec "$@"
        """,
    "sacct": "echo 'JobID|State|NodeList'; echo '77|RUNNING|here'",
    "scontrol": 'echo "$@" >> "$PLAYED/scontrol"',
    "scancel": 'echo "$@" >> "$PLAYED/scancel"',
}


@pytest.fixture
def played(tmp_path, monkeypatch) -> Path:
    """A folder with what the commands were given."""
    folder, bin_folder = tmp_path / "played", tmp_path / "bin"
    folder.mkdir()
    bin_folder.mkdir()
    for name, script in COMMANDS.items():
        file = bin_folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PLAYED", str(folder))
    # What pytest says of itself to the processes of a test is not meant for these.
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
    return folder


def slurm(folder: Path, **changes) -> Slurm:
    settings = {"minutes": 30, "partition": None, "gpus": 1, "parallel": None, "options": {}}
    return Slurm(folder / ".slurm", **{**settings, **changes})


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_jobs_become_one_array_with_what_was_asked_for_and_say_how_they_ended(tmp_path, played):
    executor = slurm(
        tmp_path, partition="gpu", gpus=2, parallel=1, options={"account": "lab", "mem": "32G"}
    )
    jobs = [scripted(tmp_path, "good", FINISH), scripted(tmp_path, "bad", "exit 3")]
    attempts = executor.submit(jobs)
    wait_until(lambda: all([attempt.ended() for attempt in attempts]))
    assert [attempt.problem() for attempt in attempts] == [None, "exit code 3"]
    assert jobs[0].results.exists()
    (sent,) = played.glob("sent*")
    options = [line for line in sent.read_text().splitlines() if line.startswith("#SBATCH")]
    for option in (
        "partition=gpu", "gpus-per-node=2", "time=30", "account=lab", "mem=32G", "array=0-1%1",
        "nodes=1", "ntasks-per-node=1", "signal=USR2@120",
    ):  # fmt: skip
        assert f"#SBATCH --{option}" in options


def test_a_job_alone_asks_for_no_gpus_where_none_are_wanted_and_queues_itself_anew_when_put_off(
    tmp_path, played
):
    """The signal comes as Slurm sends it before the time is over: to the process that srun ran."""
    # Not before the job heeds being asked to stop, nor before the process that started it knows it.
    put_off = "( while [ ! -e begun ]; do sleep 0.02; done; sleep 0.5; kill -USR2 $PPID ) &"
    job = scripted(tmp_path, "job", f"{put_off} {saves()}")
    (attempt,) = slurm(tmp_path, gpus=0).submit([job])
    wait_until((played / "scontrol").exists)
    assert (job.folder / "saved").exists()
    assert (played / "scontrol").read_text() == "requeue 77\n"
    assert not attempt.ended()
    (sent,) = played.glob("sent*")
    assert "gpus" not in sent.read_text()
    attempt.stop()
    assert attempt.ended()
    assert (played / "scancel").read_text() == "77\n"


def test_that_slurm_does_not_take_jobs_is_told_with_its_reason(tmp_path, played):
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.write_text("#!/bin/sh\necho 'invalid partition specified: gpux' >&2; exit 1\n")
    with pytest.raises(JaxclrError, match="invalid partition specified: gpux"):
        slurm(tmp_path).submit([scripted(tmp_path, "job", FINISH)])


def test_a_machine_without_slurm_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="srun"):
        slurm(tmp_path)


def test_a_run_that_somebody_makes_already_is_not_started(tmp_path):
    job = scripted(tmp_path, "job", saves())
    with job.start({}) as process:
        wait_for(job.folder / "begun")
        (attempt,) = Local([{}]).submit([job])
        assert attempt.ended()
        assert "another process is making this run" in str(attempt.problem())
        process.terminate()
