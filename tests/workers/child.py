"""A worker for the tests: does what its request says."""

from __future__ import annotations

import ctypes
import os
import sys
import time

import msgspec

from xinghe.workers import serve, threads


class Work(msgspec.Struct):
    """`what` to do with `text`, after `seconds`."""

    what: str = "echo"
    text: str = ""
    seconds: float = 0.0


def handle(work: Work) -> str:
    time.sleep(work.seconds)
    match work.what:
        case "echo":
            return work.text
        case "raise":
            raise ValueError(work.text)
        case "exit":
            os._exit(int(work.text))
        case "segfault":
            ctypes.string_at(0)
        case "garbage":
            os.write(PIPE, work.text.encode() or b"\x00\x00\x00\x05hello")
        case "print":
            print(work.text)
            sys.stdout.flush()
        case "hoard":
            print(len(bytearray(int(work.text))))
        case "abort":
            os.abort()
        case "priority":
            return f"{os.nice(0)} {os.sched_getscheduler(0)} {threads()}"
    return "done"


if __name__ == "__main__":
    if "broken" in sys.argv:
        sys.exit("it cannot start")
    if "slow" in sys.argv:
        time.sleep(60)
    print("a banner before the first frame", file=sys.stderr)
    PIPE = 3
    os.dup2(1, PIPE)
    serve(handle, Work)
