"""Bound the memory that reading a stranger's file may take: an error instead of a machine that swaps."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATM = Path("/proc/self/statm")
"""Where Linux tells the size of this process, in pages, first of its numbers."""


@contextmanager
def bounded_memory(further_bytes: int) -> Iterator[None]:
    """Let this process grow by at most so many bytes for a while; no bound where there is no `/proc`.

    What asks for more gets a MemoryError, or its native counterpart.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if not STATM.exists():
        yield
        return
    most = int(STATM.read_text().split()[0]) * resource.getpagesize() + further_bytes
    for limit in (soft, hard):
        most = most if limit == resource.RLIM_INFINITY else min(most, limit)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
