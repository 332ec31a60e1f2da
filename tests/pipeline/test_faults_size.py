"""Data sets of a million images are listed while one waits."""

import os
import struct
import subprocess
import sys

import pytest

DOMAINS, CLASSES = 4, 50
# In a process of its own, since tests check the types at every call.
PROGRAM = """
import pathlib, sys, time
from jaxclr.pipeline.listing import list_images
start = time.process_time()
print(len(list_images(pathlib.Path(sys.argv[1])).members), time.process_time() - start)
"""


def names(count: int):
    for number in range(count):
        place, file = divmod(number, count // (DOMAINS * CLASSES))
        domain, label = divmod(place, CLASSES)
        yield f"domain_{domain}/class_{label:02}/image_{file:05}.jpg"


def listed(root) -> tuple[int, float]:
    """How many images are found, in how many seconds of the processor: others use it, too."""
    command = [sys.executable, "-c", PROGRAM, str(root)]
    count, seconds = subprocess.run(command, capture_output=True, check=True).stdout.split()
    return int(count), float(seconds)


@pytest.mark.slow
def test_a_folder_is_listed_at_a_rate_of_a_million_files_in_half_a_minute(tmp_path):
    for name in names(100_000):
        path = tmp_path / name
        if name.endswith("_00000.jpg"):
            path.parent.mkdir(parents=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    count, seconds = listed(tmp_path)
    assert count == 100_000 and seconds < 3


@pytest.mark.slow
def test_a_zip_of_a_million_files_is_listed_in_half_a_minute(tmp_path):
    """The zip is its directory alone, which is all that a listing reads."""
    fixed = struct.pack("<4s6H3I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0)
    rest = struct.pack("<5H2I", 0, 0, 0, 0, 0, 0, 0)
    with open(tmp_path / "a.zip", "wb") as file:
        for name in names(1_000_000):
            file.write(fixed + struct.pack("<H", len(name)) + rest[:-2] + name.encode())
        size = file.tell()
        file.write(struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, size, 0))
        file.write(struct.pack("<4sIQI", b"PK\6\7", 0, size, 1))
        file.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0))
    count, seconds = listed(tmp_path / "a.zip")
    assert count == 1_000_000 and seconds < 30
