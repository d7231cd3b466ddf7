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


MOST = 120.0
"""Seconds after which a round is given up."""


class Work(msgspec.Struct, frozen=True):
    """What is asked over `connections`; `steers` tells the mock upstream how to answer."""

    title: str
    connections: int
    stream: bool = True
    steers: str = ""
    rate: float = 0.0
    """Requests a second; 0: each connection asks when it is answered."""
    seconds: float = 3.0
    """How long a round takes, more or less."""


WHOLE = Work("whole, 16 at once", 16, stream=False)
BURST = Work("101 chunks in one write", 16)
PACED = Work("a chunk every 5 ms, 16 at once", 16, steers="PACE=5000", seconds=5)
CROWD = Work("the same, 100 at once", 100, steers="PACE=5000", seconds=2)
WORKS = (WHOLE, BURST, PACED, CROWD)
ADDED = Work("added at 100/s", 64, stream=False, rate=100.0, seconds=6)


class Gateway(msgspec.Struct, frozen=True):
    """One that runs: its first process, and how it is asked."""

    pid: int
    port: int
    path: str = "/v1/chat/completions"
    token: str = "none"
    model: str = "bench"
    headers: dict[str, str] = {}

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
    """What cannot be measured here; the text says why, or what would bring it."""


class Failed(Exception):
    """A gateway did not do its work; the text says what was seen."""


def built(folder: Path, name: str) -> Path:
    """One of the two C programs beside this file, compiled. Raises `Missing`."""
    if shutil.which("cc") is None:
        raise Missing("it needs a C compiler: apt-get install gcc libc6-dev")
    program = folder / name
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["cc", "-O2", "-Wall", "-o", str(program), str(source)], check=True)
    return program


def asked(load: Path, gateway: Gateway, work: Work, count: int) -> dict[str, float]:
    """Have a gateway do the work; what the load generator saw, and `cpu` in µs a request.

    Raises `Failed`.
    """
    request = load.with_name("request")
    request.write_bytes(_request(gateway, work))
    most = 1.5 * work.seconds if work.rate else MOST
    sizes = (gateway.port, request, work.connections, count, work.rate, most)
    command = [str(load), *map(str, sizes)]
    try:
        before = gateway.cpu_seconds
        seen = subprocess.run(command, capture_output=True, check=True, text=True)
        spent = gateway.cpu_seconds - before
    except psutil.NoSuchProcess:
        raise Failed("its process has ended") from None
    except subprocess.CalledProcessError as error:
        raise Failed(error.stderr.strip()) from None
    found: dict[str, float] = json.loads(seen.stdout)
    if found["bad"]:
        raise Failed(f"{found['bad']} bad answers, the last with status {found['bad_status']}")
    if found["answered"] < count:
        raise Failed(f"{found['answered']} of {count} answered within {found['seconds']:.0f} s")
    found["cpu"] = spent / count * 1e6
    return found


def count_of(load: Path, gateway: Gateway, work: Work) -> int:
    """How many requests take as long as a round of this work should; warms up as well."""
    if work.rate:
        return int(work.rate * work.seconds)
    took = asked(load, gateway, work, work.connections)["seconds"]
    if took < work.seconds / 4:
        took = asked(load, gateway, work, 4 * work.connections)["seconds"] / 4
    return work.connections * max(1, round(work.seconds / took))


def _request(gateway: Gateway, work: Work) -> bytes:
    content = f"{USER} {work.steers}".strip()
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
    body = {"model": gateway.model, "messages": turns, "max_tokens": 1000, "temperature": 0.7}
    if work.stream:
        body["stream"] = True
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    head = (
        f"POST {gateway.path} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        f"User-Agent: load/1\r\nAccept: */*\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nAuthorization: Bearer {gateway.token}\r\n"
    )
    more = "".join(f"{name}: {value}\r\n" for name, value in gateway.headers.items())
    return f"{head}{more}\r\n".encode() + data
