"""The gateways that are measured, each started before the same mock upstream."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kit.raw import Connection
from tests.kit.server import Server, free_port

from bench.harness import CATALOG
from bench.peers.load import Gateway, Missing
from bench.peers.yardstick import TOKEN

CHAT = "/v1/chat/completions"
_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream mock {{ server 127.0.0.1:{upstream}; keepalive 256; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """A program that listens once it is yielded: its process id."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _await(port)
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Gateway]:
    """A plain proxy: the least that a hop costs."""
    program = shutil.which("nginx")
    if program is None:
        raise Missing("apt-get install nginx-light")
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, upstream=upstream, port=port))
    with running([program, "-c", str(configuration)], port) as pid:
        yield Gateway("nginx", pid, port, CHAT, "none")


@contextmanager
def yardstick(folder: Path, upstream: int) -> Iterator[Gateway]:
    port = free_port()
    arguments = [str(folder / "yardstick.db"), str(port), str(upstream)]
    command = [sys.executable, "-m", "bench.peers.yardstick", *arguments]
    with running(command, port) as pid:
        yield Gateway("yardstick", pid, port, CHAT, TOKEN)


@contextmanager
def xinghe(folder: Path, upstream: int) -> Iterator[Gateway]:
    """Everything on: tokens, limits, moderation, books, metrics, logs.

    Whole answers are asked whole, as the others do.
    """
    models = CATALOG.format(port=upstream).replace("slots =", "whole = true\nslots =")
    with Server(folder / "xinghe", models=models) as server:
        port = int(server.url.rpartition(":")[2])
        yield Gateway("**Xinghe**", server.pid, port, CHAT, server.token())


PEERS = {"nginx": nginx, "yardstick": yardstick, "xinghe": xinghe}


def _await(port: int) -> None:
    for _ in range(100):
        try:
            with Connection(f"http://127.0.0.1:{port}"):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port}")
