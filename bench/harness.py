"""What the measurements share: a running service before the cheap upstream, and its figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil
from tests.kit.server import Server

MODEL = "bench"
CATALOG = """
[limits]
qps = 0

[defaults]
deployment = "bench"
rpm = 0
tpm = 0

[deployments.bench]
engine = "upstream"
url = "http://127.0.0.1:{port}/v1"
model = "bench"
slots = 1024

[models.bench]
kind = "chat"
context = 131072
max_input = 65536
output_max = 8192
output_default = 2048
input_ratio = 0.01
output_ratio = 0.01
"""


@contextmanager
def gateway_before_upstream(
    folder: Path, pause_us: int, *options: str
) -> Iterator[tuple[Server, str]]:
    """A service whose only engine is `bench.upstream`; yields it with a token."""
    command = [sys.executable, "-m", "bench.upstream", str(pause_us)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as upstream:
        assert upstream.stdout is not None
        try:
            port = int(upstream.stdout.readline())
            data = folder / f"data{pause_us}"
            with Server(data, *options, models=CATALOG.format(port=port)) as server:
                yield server, server.token()
        finally:
            upstream.kill()


def worker_of(server: Server) -> psutil.Process:
    """The gateway's own process."""
    for process in psutil.Process(server.pid).children():
        if "xinghe.supervisor.worker" in process.cmdline():
            return process
    raise RuntimeError("the gateway worker is not running")


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def ask(
    session: aiohttp.ClientSession, server: Server, token: str, stream: bool, content: str = "你好"
) -> bytes:
    """One chat request; returns the body."""
    body = {
        "model": MODEL,
        "stream": stream,
        "messages": [{"role": "user", "content": content}],
    }
    async with session.post(
        f"{server.url}/llm/lmapi/v3/chat/completions",
        data=json.dumps(body),
        headers={"Authorization": f"Bearer {token}"},
    ) as answer:
        data = await answer.read()
        if answer.status != 200:
            raise RuntimeError(data.decode())
        return data


def quantile(page: str, name: str, share: float) -> float:
    """A quantile of a Prometheus histogram, linear within its bucket, in seconds."""
    buckets = [
        (float(le.replace("+Inf", "inf")), float(count))
        for le, count in re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)', page, re.MULTILINE)
    ]
    wanted = share * buckets[-1][1]
    low = below = 0.0
    for le, count in buckets:
        if count >= wanted and count > below:
            return low + (le - low) * (wanted - below) / (count - below)
        low, below = le, count
    return low
