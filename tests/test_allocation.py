import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from jaxclr.allocation import keep_freed_memory

print(keep_freed_memory())
import numpy as np

def touch():
    np.ones(10_000_000)

touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**variables):
    """Whether memory is kept, and how many pages five arrays of 80 MB then cost."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", FAULTS]
    found = subprocess.run(
        command, env={**environment, **variables}, capture_output=True, text=True, check=True
    )
    kept, count = found.stdout.split()
    return kept == "True", int(count)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_was_freed_is_not_asked_for_again():
    kept, few = faults()
    left_alone, many = faults(MALLOC_MMAP_THRESHOLD_="1000000")
    assert kept and not left_alone
    assert few < 100 < many


LOOP = """
from jaxclr.allocation import end_without_collecting

class Loop:
    def __init__(self):
        self.me = self

    def __del__(self):
        print("collected")

Loop()
"""


@pytest.mark.parametrize("asked, told", [("", "collected\n"), ("end_without_collecting()", "")])
def test_garbage_in_cycles_is_left_to_the_system_at_the_end(asked, told):
    done = subprocess.run(
        [sys.executable, "-c", LOOP + asked], capture_output=True, text=True, check=True
    )
    assert done.stdout == told
