"""A child that says that it serves, and then nothing until it is ended."""

import json
import os
import sys
import time

from xinghe.orphan import die_with_parent

if __name__ == "__main__":
    spec = json.loads(sys.stdin.buffer.readline())
    die_with_parent(spec["parent"])
    print(json.dumps({"type": "WorkerReady", "pid": os.getpid()}), flush=True)
    time.sleep(600)
