"""`python -m tests.weights.pull WEIGHT SETTINGS`: a fetch as a process (JSON arguments)."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from xinghe.settings import Settings
from xinghe.weights.fetch import fetch_weight
from xinghe.weights.index import Weight
from xinghe.weights.progress import terminal_progress

if __name__ == "__main__":
    weight = msgspec.json.decode(sys.argv[1], type=Weight)
    settings = msgspec.json.decode(sys.argv[2], type=Settings)
    print(asyncio.run(fetch_weight(settings, weight, terminal_progress())))
