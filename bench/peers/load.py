"""What is asked of each gateway, and what it costs: CPU over its process tree, and latency."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import msgspec
import psutil

SYSTEM = "你是一位耐心的天文学老师，回答要准确、简短。"
USER = (
    "请用三句话介绍银河系的结构，并说明太阳系在其中的位置。"
    "另外请举出一个可以在家中用小望远镜观察的例子。"
)


class Work(msgspec.Struct, frozen=True):
    """`count` requests over `connections`; `steers` tells the mock upstream how to answer."""

    title: str
    connections: int
    count: int
    stream: bool = True
    steers: str = ""
    rate: float = 0.0
    """Requests a second; 0: each connection asks when it is answered."""


WORKS = (
    Work("whole, 16 at once", 16, 1600, stream=False),
    Work("101 chunks in one write", 16, 1000),
    Work("a chunk every 5 ms, 16 at once", 16, 160, steers="PACE=5000"),
    Work("the same, 100 at once", 100, 400, steers="PACE=5000"),
)
ADDED = Work("added at 100/s", 64, 600, stream=False, rate=100.0)


class Gateway(msgspec.Struct, frozen=True):
    """One that runs: its first process, and how it is asked."""

    name: str
    pid: int
    port: int
    path: str
    token: str

    @property
    def tree(self) -> list[psutil.Process]:
        if not self.pid:
            return []
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]

    @property
    def cpu_seconds(self) -> float:
        """What its processes have used so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.tree)

    @property
    def memory(self) -> int:
        """Bytes that its processes hold."""
        return sum(int(process.memory_info().rss) for process in self.tree)


class Missing(Exception):
    """What this machine does not have; the text says what would bring it."""


def built(folder: Path, name: str) -> Path:
    """One of the two C programs beside this file, compiled. Raises `Missing`."""
    if shutil.which("cc") is None:
        raise Missing("it needs a C compiler: apt-get install gcc libc6-dev")
    program = folder / name
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["cc", "-O2", "-Wall", "-o", str(program), str(source)], check=True)
    return program


def asked(load: Path, gateway: Gateway, work: Work) -> dict[str, float]:
    """Have a gateway do the work once more; what the load generator saw, and `cpu` in µs."""
    request = load.with_name("request")
    request.write_bytes(_request(gateway, work))
    before = gateway.cpu_seconds
    sizes = (gateway.port, request, work.connections, work.count, work.rate)
    command = [str(load), *map(str, sizes)]
    seen = subprocess.run(command, capture_output=True, check=True)
    found: dict[str, float] = json.loads(seen.stdout)
    if found["bad"]:
        raise RuntimeError(f"{gateway.name}: {work.title}: {found}")
    found["cpu"] = (gateway.cpu_seconds - before) / work.count * 1e6
    return found


def _request(gateway: Gateway, work: Work) -> bytes:
    content = f"{USER} {work.steers}".strip()
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
    body = {"model": "bench", "messages": turns, "max_tokens": 1000, "temperature": 0.7}
    if work.stream:
        body["stream"] = True
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    head = (
        f"POST {gateway.path} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        f"User-Agent: load/1\r\nAccept: */*\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nAuthorization: Bearer {gateway.token}\r\n\r\n"
    )
    return head.encode() + data
