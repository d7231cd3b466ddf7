"""What goes wrong in the middle of a round. Each returns when it is over, or mended by the test."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import apsw
import psutil

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


def disk_full_and_gateway_killed(server: Server, dice: random.Random) -> None:
    """The supervisor starts it again while there is no room."""
    fill(server.data / "filler")
    time.sleep(dice.uniform(1, 4))
    child(server, GATEWAY).kill()
    time.sleep(dice.uniform(1, 4))
    (server.data / "filler").unlink()


def disk_full_and_killed(server: Server, dice: random.Random) -> None:
    fill(server.data / "filler")
    time.sleep(dice.uniform(1, 6))
    server.kill()
    (server.data / "filler").unlink()
    server.start()


def database_killed(server: Server, dice: random.Random) -> None:
    """All of it at once; the supervisor starts it again."""
    for process in _database(server):
        process.kill()


def database_connection_killed(server: Server, dice: random.Random) -> None:
    """One process of it: then the server ends all others, and recovers."""
    workers = [each for each in _database(server)[1:] if "xinghe postgres" in _title(each)]
    dice.choice(workers).kill()


def database_stopped(server: Server, dice: random.Random) -> None:
    with _stopped(server):
        time.sleep(dice.uniform(1, 8))


def database_stopped_and_killed(server: Server, dice: random.Random) -> None:
    """The gateway is killed while the database hangs."""
    with _stopped(server):
        time.sleep(dice.uniform(1, 8))
        child(server, GATEWAY).kill()


@contextmanager
def _stopped(server: Server) -> Iterator[None]:
    stopped = _database(server)
    for process in stopped:
        process.suspend()
    yield
    for process in stopped:
        process.resume()


def _database(server: Server) -> list[psutil.Process]:
    """Its processes, the first of which is the parent of the others."""
    pid = (server.data / "postgresql" / "postmaster.pid").read_text("utf-8").split()[0]
    first = psutil.Process(int(pid))
    return [first, *first.children(recursive=True)]


def _title(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


ON_POSTGRES: list[Harm] = [
    gateway_killed,
    service_killed,
    database_killed,
    database_connection_killed,
    database_stopped,
    database_stopped_and_killed,
    disk_full,
    disk_full_and_gateway_killed,
    disk_full_and_killed,
]

ON_SQLITE: list[Harm] = [
    gateway_killed,
    service_killed,
    locked,
    locked_and_killed,
    disk_full,
    disk_full_and_gateway_killed,
    disk_full_and_killed,
]
