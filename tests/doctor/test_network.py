"""Ports that are taken, proxies that capture loopback, and the running service."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.doctor.kit import as_other_user, options
from xinghe.doctor import network
from xinghe.doctor.finding import FAIL, OK, WARN
from xinghe.doctor.network import listener
from xinghe.doctor.options import Options


def at(port: int, *argv: str) -> Options:
    return options("--host", "127.0.0.1", "--port", str(port), *argv)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.fixture(params=[200, 503])
def service(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """The port and the readiness of something that answers /readyz."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, request.param
    server.shutdown()
    server.server_close()


def test_a_taken_port_names_its_holder_and_a_free_one(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "TIMEOUT", 0.2)
    finding = network.port(at(taken))
    assert finding.status == FAIL
    assert f"(process {os.getpid()})" in finding.text
    proposed = int(finding.mend.split("--port ")[1].rstrip('"'))
    assert network.port(at(proposed)).status == OK


def test_a_holder_may_have_any_bytes_for_a_name(taken: int) -> None:
    name = Path("/proc/self/comm")
    before = name.read_bytes().rstrip(b"\n")
    name.write_bytes(b"\xce\xde")
    try:
        assert str(listener(taken)).endswith(f" (process {os.getpid()})")
    finally:
        name.write_bytes(before)


def test_a_free_port(taken: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert network.port(at(free)).status == OK


def test_an_address_that_is_not_of_this_machine() -> None:
    finding = network.port(options("--host", "192.0.2.1", "--port", "8000"))
    assert finding.status == FAIL
    assert "--host 127.0.0.1" in finding.mend


def test_a_port_for_root_only() -> None:
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        if int(file.read()) <= 81:
            pytest.skip("every user may listen on port 81 here")
    finding = as_other_user(network.port, at(81))
    assert finding.status == FAIL
    assert "only root" in finding.text


def test_a_running_service_is_known(service: tuple[int, int]) -> None:
    port, status = service
    assert network.port(at(port)).status == OK
    assert network.service(at(port)).status == (OK if status == 200 else WARN)
    before_a_start = network.port(at(port, "--preflight"))
    assert before_a_start.status == FAIL
    assert "already runs" in before_a_start.text


def test_no_service(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "TIMEOUT", 0.2)
    assert network.service(at(taken)).text == "not running"


@pytest.mark.parametrize(
    ("environ", "mend"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://p"}, ""),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "localhost,127.0.0.1"}, ""),
        ({"http_proxy": "http://p", "no_proxy": "*"}, ""),
        ({"HTTP_PROXY": "http://p"}, "NO_PROXY=127.0.0.1,localhost"),
        ({"ALL_PROXY": "socks5://p", "NO_PROXY": "a.b,localhost"}, "=a.b,localhost,127.0.0.1"),
    ],
)
def test_a_proxy_must_spare_loopback(environ: dict[str, str], mend: str) -> None:
    finding = network.proxy(options(), environ)
    assert finding.status == (WARN if mend else OK)
    assert mend in finding.mend
