"""What goes wrong in the middle of a round. Each returns when it is over, or mended by the test."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import apsw

from tests.kit.disk import fill
from tests.kit.server import Server
from tests.supervisor.kit import GATEWAY, child

Harm: TypeAlias = Callable[[Server, random.Random], None]


def gateway_killed(server: Server, dice: random.Random) -> None:
    """The supervisor starts it again."""
    child(server, GATEWAY).kill()


def service_killed(server: Server, dice: random.Random) -> None:
    server.kill()
    server.start()


@contextmanager
def _lock(server: Server) -> Iterator[None]:
    connection = apsw.Connection(str(server.data / "xinghe.db"))
    connection.set_busy_timeout(5000)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def locked(server: Server, dice: random.Random) -> None:
    """Somebody else holds SQLite's lock, for longer than the gateway waits for it."""
    with _lock(server):
        time.sleep(dice.uniform(1, 8))


def locked_and_killed(server: Server, dice: random.Random) -> None:
    with _lock(server):
        time.sleep(dice.uniform(1, 8))
        child(server, GATEWAY).kill()


def disk_full(server: Server, dice: random.Random) -> None:
    fill(server.data / "filler")
    time.sleep(dice.uniform(1, 6))
    (server.data / "filler").unlink()


def disk_full_and_killed(server: Server, dice: random.Random) -> None:
    fill(server.data / "filler")
    time.sleep(dice.uniform(1, 6))
    server.kill()
    (server.data / "filler").unlink()
    server.start()


ON_SQLITE: list[Harm] = [
    gateway_killed,
    service_killed,
    locked,
    locked_and_killed,
    disk_full,
    disk_full_and_killed,
]
