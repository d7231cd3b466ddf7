"""The gateways that are measured, each started before the same mock upstream."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.kit.command import XINGHE, environment, xinghe
from tests.kit.server import free_port

from bench.harness import CATALOG
from bench.peers.install import from_npm, from_pypi
from bench.peers.load import Gateway, Missing
from bench.peers.process import running, said
from bench.peers.yardstick import TOKEN

Start = Callable[[Path, int], AbstractContextManager[Gateway]]
"""Given a folder of its own and the upstream's port. Raises `Missing`."""

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
    upstream mock {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000000;
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""
_TENSORZERO = """
import sys, time
from tensorzero.tensorzero import _start_http_gateway as start
options = dict.fromkeys(("clickhouse_url", "postgres_url", "valkey_url"))
gateway = start(config_file=sys.argv[1], async_setup=False, **options)
print("listens at", gateway.base_url, flush=True)
time.sleep(1e9)
"""
_TENSORZERO_CONFIGURATION = """
[gateway]
observability.enabled = false
[models.bench]
routing = ["mock"]
[models.bench.providers.mock]
type = "vllm"
model_name = "bench"
api_base = "http://127.0.0.1:{upstream}/v1"
api_key_location = "none"
"""
_LITELLM = """
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: none
litellm_settings:
  num_retries: 0
  turn_off_message_logging: true
  disable_end_user_cost_tracking: true
general_settings:
  disable_spend_logs: true
  disable_error_logs: true
router_settings:
  disable_cooldowns: true
"""
_LITELLM_ENVIRONMENT = {
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_DOCS": "True",
    "DISABLE_ADMIN_UI": "True",
}
_ROUTER = ["--host", "127.0.0.1", "--disable-retries", "--disable-circuit-breaker"]


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Gateway]:
    """A plain proxy: the least that a hop costs."""
    program = shutil.which("nginx")
    if program is None:
        raise Missing("apt-get install nginx-light")
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, upstream=upstream, port=port))
    with running([program, "-c", str(configuration)], folder, port) as pid:
        yield Gateway(pid, port)


@contextmanager
def yardstick(folder: Path, upstream: int) -> Iterator[Gateway]:
    port = free_port()
    arguments = [str(folder / "yardstick.db"), str(port), str(upstream)]
    command = [sys.executable, "-m", "bench.peers.yardstick", *arguments]
    with running(command, folder, port) as pid:
        yield Gateway(pid, port, token=TOKEN)


@contextmanager
def xinghe_itself(folder: Path, upstream: int) -> Iterator[Gateway]:
    models = CATALOG.format(port=upstream).replace("slots =", "whole = true\nslots =")
    (folder / "models.toml").write_text(models)
    port = free_port()
    options = ["--data", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with running([*XINGHE, "serve", *options], folder, port, environment()) as pid:
        said(folder, re.compile(r"(?:ready at |已就绪：)(http://\S+)"))
        token = xinghe("token", "create", "--account", "default", data=folder)
        yield Gateway(pid, port, token=token)


@contextmanager
def vllm_router(folder: Path, upstream: int) -> Iterator[Gateway]:
    programs = from_pypi("vllm-router")
    port = free_port()
    options = ["--port", str(port), "--prometheus-port", str(free_port()), "--log-level", "error"]
    workers = ["--policy", "round_robin", "--worker-urls", f"http://127.0.0.1:{upstream}"]
    command = [str(programs / "vllm-router"), *_ROUTER, *options, *workers]
    with running(command, folder, port) as pid:
        yield Gateway(pid, port)


@contextmanager
def smg(folder: Path, upstream: int) -> Iterator[Gateway]:
    programs = from_pypi("smg")
    port = free_port()
    options = ["--port", str(port), "--prometheus-port", str(free_port()), "--log-level", "error"]
    workers = ["--policy", "passthrough", "--worker-urls", f"http://127.0.0.1:{upstream}"]
    off = ["--disable-health-check", "--disable-load-monitoring", "--disable-tokenizer-autoload"]
    command = [str(programs / "smg"), "launch", *_ROUTER, *options, *workers, *off]
    with running([*command, "--history-backend", "none"], folder, port) as pid:
        yield Gateway(pid, port)


@contextmanager
def tensorzero(folder: Path, upstream: int) -> Iterator[Gateway]:
    """PyPI has the gateway as a library, which chooses its port by itself."""
    programs = from_pypi("tensorzero")
    configuration = folder / "tensorzero.toml"
    configuration.write_text(_TENSORZERO_CONFIGURATION.format(upstream=upstream))
    command = [str(programs / "python"), "-c", _TENSORZERO, str(configuration)]
    with running(command, folder) as pid:
        port = int(said(folder, re.compile(r"listens at http://[^:]+:(\d+)")))
        path = "/openai/v1/chat/completions"
        yield Gateway(pid, port, path, model="tensorzero::model_name::bench")


@contextmanager
def portkey(folder: Path, upstream: int) -> Iterator[Gateway]:
    server = from_npm("portkey") / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    port = free_port()
    command = ["node", str(server), f"--port={port}", "--headless"]
    behind = f"http://127.0.0.1:{upstream}/v1"
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": behind}
    with running(command, folder, port, {"NODE_ENV": "production"}) as pid:
        yield Gateway(pid, port, headers=headers)


@contextmanager
def litellm(folder: Path, upstream: int) -> Iterator[Gateway]:
    programs = from_pypi("litellm")
    configuration = folder / "litellm.yaml"
    configuration.write_text(_LITELLM.format(upstream=upstream))
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    command = [str(programs / "litellm"), "--config", str(configuration), *options]
    with running(command, folder, port, _LITELLM_ENVIRONMENT) as pid:
        yield Gateway(pid, port)


class Peer(NamedTuple):
    """One of those that are measured: how it is started, and what is off (of ours: on) in it."""

    title: str
    start: Start
    off: str


PEERS = {
    "nginx": Peer("nginx", nginx, "a plain proxy of one process, no access log, nothing buffered"),
    "yardstick": Peer(
        "yardstick (Python)",
        yardstick,
        "a bare gateway: a token, a bucket and books, nothing else (`bench/peers/yardstick.py`)",
    ),
    "vllm-router": Peer(
        "vllm-router 0.1.17 (Rust)",
        vllm_router,
        "no key, retries or circuit breaker, logs of errors only; round robin",
    ),
    "smg": Peer(
        "smg 1.13.0 (Rust)",
        smg,
        "no key, retries, circuit breaker, health checks, load monitor, tokenizer or history, "
        "logs of errors only; passthrough",
    ),
    "tensorzero": Peer(
        "tensorzero 2026.6.0 (Rust)",
        tensorzero,
        "no key, no observability, no database; as a library in a Python process, for PyPI has "
        "no program of it",
    ),
    "portkey": Peer(
        "Portkey 1.15.2 (Node)",
        portkey,
        "no key, console, cache, retries or guardrails",
    ),
    "litellm": Peer(
        "LiteLLM 1.110.2 (Python)",
        litellm,
        "no key, database, spend or error logs, message logging, retries, cooldowns or admin "
        "page; one worker",
    ),
    "xinghe": Peer(
        "**Xinghe** (Python)",
        xinghe_itself,
        "all on: tokens, limits, moderation, books, metrics, logs; whole answers are asked whole",
    ),
}
