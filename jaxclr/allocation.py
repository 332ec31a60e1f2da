"""How the C library hands out memory, and how Python gives its own back."""

import atexit
import ctypes
import gc
import os
import platform

TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
"""Parameters of glibc's ``mallopt``."""


def keep_freed_memory() -> bool:
    """Lets the process keep the memory that it frees; returns whether that was done.

    XLA's CPU backend asks for the memory of a step's intermediate results anew in every step. By
    default the GNU C library gives what is freed back to the system at once, which then has to
    clear it, page by page, before it hands it out again: a tenth to a quarter of a step's time.

    It has to be called before threads are started, each of which would have an arena of its own.
    Nothing is done where the C library is another, or where variables of the environment
    (``MALLOC_...``, ``GLIBC_TUNABLES``) have settled the matter.
    """
    settled = "GLIBC_TUNABLES" in os.environ or any(k.startswith("MALLOC_") for k in os.environ)
    if settled or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = {ARENA_MAX: 1, MMAP_MAX: 0, TRIM_THRESHOLD: -1}
    return all([mallopt(parameter, value) == 1 for parameter, value in wanted.items()])


def end_without_collecting() -> None:
    """Has Python not look for garbage in cycles when the process ends.

    It would go through all that was imported, several times: a third of a second, of which
    nothing comes, since the system takes the memory back.
    """
    atexit.register(gc.freeze)
