"""Many streams at once: what each holds, how evenly they flow, and how many fit one process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.kit.server import free_port

from bench.peers.gateways import PEERS
from bench.peers.load import BURST, Failed, Gateway, Missing, Work, asked, built
from bench.peers.process import running

SLOW = Work("1,000 streams", 1000, steers="PACE=1000000 CHUNKS=20")
OFFERED = Work("200 streams/s", 1000, steers="PACE=5000", rate=200.0, seconds=10)


async def run(folder: Path) -> None:
    """Before the mock upstream of the peers."""
    try:
        load, mock = built(folder, "load"), built(folder, "mock")
    except Missing as missing:
        print(f"streams is not measured: {missing}")
        return
    upstream, place = free_port(), folder / "xinghe"
    place.mkdir()
    with (
        running([str(mock), str(upstream)], folder, upstream),
        PEERS["xinghe"].start(place, upstream) as gateway,
    ):
        asked(load, gateway, BURST, 400)
        print("\n## Many streams\n\n| | seen | wanted |\n|---|---|---|")
        for work, rows in ((SLOW, _slow), (OFFERED, _offered)):
            try:
                await rows(load, gateway)
            except Failed as failed:
                print(f"| {work.title} | failed: {failed} | |")


async def _slow(load: Path, gateway: Gateway) -> None:
    """They begin together, and each has a chunk a second."""
    before = most = gateway.memory
    asking = asyncio.create_task(asyncio.to_thread(asked, load, gateway, SLOW, SLOW.connections))
    while not asking.done():
        await asyncio.sleep(1)
        most = max(most, gateway.memory)
    seen, each = await asking, (most - before) / SLOW.connections / 1000
    print(f"| {SLOW.title}, a chunk a second: KB each | {each:.0f} | ≤ 30 |")
    print(f"| their longest gap, s | {seen['gap_max'] / 1000:.2f} | ≤ 1.1 |")
    print(f"| all begun at once: first byte p99, s | {seen['first_p99'] / 1000:.2f} | ≤ 1.5 |")


async def _offered(load: Path, gateway: Gateway) -> None:
    """They are begun at this rate, whatever becomes of them."""
    count = int(OFFERED.rate * OFFERED.seconds)
    seen = await asyncio.to_thread(asked, load, gateway, OFFERED, count)
    cores = seen["cpu"] * OFFERED.rate / 1e6
    print(f"| {OFFERED.title} of 100 chunks, all answered: cores | {cores:.2f} | ≤ 1 |")
    print(f"| their first byte p99, s | {seen['first_p99'] / 1000:.2f} | |")
