"""Ports are taken, and the gateway is started, before it is known what to serve."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from xinghe.supervisor.child import GATEWAY, ServeError
from xinghe.supervisor.listening import bound, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_clients_are_refused_until_it_listens_and_wait_then(host: str) -> None:
    with bound(host, 0) as taken:
        address = taken.getsockname()[:2]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        listen(taken)
        socket.create_connection(address, timeout=5).close()
        with pytest.raises(ServeError, match=rf"cannot listen on {host} port {address[1]}: .*in"):
            bound(*address)


def test_of_two_that_bound_a_port_the_first_that_listens_has_it() -> None:
    with bound("127.0.0.1", 0) as one, bound("127.0.0.1", one.getsockname()[1]) as other:
        listen(other)
        with pytest.raises(ServeError, match=r"cannot listen on .*--port or --metrics-port"):
            listen(one)


def test_a_gateway_that_is_told_nothing_ends_without_a_word() -> None:
    run = subprocess.run(
        [sys.executable, "-m", GATEWAY], input=b"", capture_output=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
