"""What requests and answers leave behind goes back to the system, whoever made it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
import psutil
from xinghe.api.memory import trimmed_heap

def resident():
    return psutil.Process().memory_info().rss / 2**20

async def main():
    with trimmed_heap():
        await asyncio.sleep(0)
        texts = [b"x" * size for size in range(2000, 2100) for _ in range(1000)]
        kept = texts[::500]
        del texts
        print(resident(), flush=True)
        while resident() > 100:
            await asyncio.sleep(0.1)
        print(len(kept), flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be asked to trim")
def test_what_was_freed_goes_back_though_something_is_kept_in_between() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    before, kept = told.stdout.split()
    assert (float(before) > 200, int(kept)) == (True, 200)
