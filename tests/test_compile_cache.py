"""Tests of what a command keeps for the next one: compiled programs."""

import os
import subprocess
import sys
from pathlib import Path


def started(workdir: Path, *more: str) -> bytes:
    """Makes a short run in a process of its own; returns what it learned."""
    command = [
        *(sys.executable, "-m", "jaxclr.main", "--experiment=digits_erm", "--workdir", workdir),
        *(
            "--no-report",
            "--targets",
            "scan",
            "--steps",
            "2",
            "--model.width",
            "2",
            "--domain-probe",
            "0",
            *more,
        ),
    ]
    variables = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "true"}
    subprocess.run(command, env=variables, check=True, capture_output=True)
    return (workdir / "digits_erm" / "scan" / "seed1" / "metrics.jsonl").read_bytes()


def test_the_next_command_compiles_nothing_anew_and_learns_the_same(tmp_path):
    cache = tmp_path / "cache"

    def kept() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}

    first = started(tmp_path / "first", "--compile-cache", str(cache))
    before = kept()
    assert any(name.startswith("jit_train_step") for name in before)
    # Small programs are kept, too.
    assert len(before) > 2
    assert started(tmp_path / "second", "--compile-cache", str(cache)) == first
    assert kept() == before
