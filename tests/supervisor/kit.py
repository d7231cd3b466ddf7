"""The process tree of a running service, seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.kit.command import ended
from tests.kit.raw import Connection
from tests.kit.server import Server

GATEWAY = "xinghe.supervisor.worker"
ENGINE = "xinghe.engines.llamacpp.child"


def root(server: Server) -> psutil.Process:
    """The supervisor."""
    return psutil.Process(server.pid)


def child(server: Server, module: str) -> psutil.Process:
    """The one child that runs a module."""
    found = [p for p in root(server).children() if module in p.cmdline()]
    assert len(found) == 1, found
    return found[0]


def until(what: str, check: Callable[[], bool], timeout: float = 120.0) -> None:
    end = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        time.sleep(0.05)


def status(server: Server, path: str) -> int:
    """The HTTP status of a GET."""
    with Connection(server.url) as connection:
        connection.request("GET", path)
        return connection.reply().status


def ready(server: Server, check: str) -> bool:
    """What `/readyz` says of one thing that it has looked at."""
    with Connection(server.url) as connection:
        connection.request("GET", "/readyz")
        checks: dict[str, bool] = connection.reply().json["checks"]
        return checks[check]


def serve_fails(data: Path, *options: str, **settings: str) -> str:
    """A `serve` that must end by itself with exit code 1; gives what it said to standard error."""
    code, out, errors = ended("serve", "--port", "0", *options, data=data, settings=settings)
    assert code == 1, out + errors
    assert "Traceback" not in errors, errors
    assert "ready at" not in out
    return errors
