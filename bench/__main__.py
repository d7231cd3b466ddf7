"""`python -m bench [name …]`: run the measurements (all, or those named) and print their tables."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench import database, edge, embedding, engine, fair, peers, reasoning, streams, tools

BENCHES = {
    "peers": peers.run,
    "edge": edge.run,
    "streams": streams.run,
    "database": database.run,
    "engine": engine.run,
    "fair": fair.run,
    "tools": tools.run,
    "reasoning": reasoning.run,
    "embedding": embedding.run,
}


def main() -> None:
    chosen = sys.argv[1:] or list(BENCHES)
    if sys.argv[1:2] == ["peers"]:  # what follows says which of them, and how many rounds
        BENCHES["peers"] = partial(peers.run, chosen=chosen[1:])
        chosen = ["peers"]
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        raise SystemExit(f"no such bench: {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="xinghe-bench-") as folder:
            asyncio.run(BENCHES[name](Path(folder)))


main()
