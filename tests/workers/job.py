"""A worker for the tests whose calls take long: counts to `steps`, then says how far it came."""

from __future__ import annotations

import sys
import time

import msgspec

from xinghe.workers import Job, serve_jobs


class Counting(msgspec.Struct):
    """`pause` is in seconds, before each step."""

    steps: int
    pause: float = 0.0


def handle(counting: Counting, job: Job) -> int:
    done = 0
    for done in range(1, counting.steps + 1):
        time.sleep(counting.pause)
        print(f"step {done}", file=sys.stderr, flush=True)
        job.progress(done)
    return done


if __name__ == "__main__":
    serve_jobs(handle, Counting)
