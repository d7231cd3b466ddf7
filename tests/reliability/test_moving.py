"""The books move to PostgreSQL under a service that all clients use: charged equals received."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.postgres import cluster
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.reliability.report import HEAD, row
from tests.reliability.stage import Stage, endow, made
from tests.supervisor.kit import GATEWAY, child


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with cluster(tmp_path / "postgres", {}) as running:
        yield running.empty()


def moved(server: Server, dice: random.Random, url: str) -> None:
    said = server.run("migrate", "to-postgres", url)
    print(said)
    assert "the same in both" in said


def interrupted_and_moved(server: Server, dice: random.Random, url: str) -> None:
    """With the gateway killed in between, and once it has moved."""
    child(server, GATEWAY).kill()
    moved(server, dice, url)
    child(server, GATEWAY).kill()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", [moved, interrupted_and_moved])
async def test_under_traffic(
    how: Callable[[Server, random.Random, str], None], url: str, tmp_path: Path, upstream: Upstream
) -> None:
    dice = random.Random(5)

    def harm(server: Server, dice: random.Random) -> None:
        how(server, dice, url)

    harm.__name__ = "killed and moved" if how is interrupted_and_moved else "moved"
    with made(tmp_path / "data", tmp_path / "log", upstream) as server:
        endow(server)
        stage = Stage(server, dice)
        one = await stage.round(harm)
        print(HEAD, row(0, one), sep="\n")
        assert list(one.missed()) == []
        statuses = {each.status for each in (*one.whole, *one.keyed, *one.streams)}
        assert statuses <= {0, 200, 500}, statuses
        if how is moved:
            assert all(each.arrived for each in one.streams)
        # What was written there is there alone, and comes back with the books.
        assert '"entries"' in server.run("migrate", "status", "--json")
        entries = server.run("ledger", "entries", "--member", "whole", "--json")
        server.stop()
        server.run("migrate", "undo")
        assert server.run("ledger", "entries", "--member", "whole", "--json") == entries
