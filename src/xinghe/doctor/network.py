"""The port, who listens on it, and proxies that would capture it."""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from .finding import Finding, fail, ok, warn
from .options import Options

CAPTURING = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
LISTEN = "0A"
"""A listening socket's state in /proc/net/tcp."""
READY, NOT_READY = 200, 503
LOOPBACK = ("127.0.0.1", "localhost")
TIMEOUT = 1.0
"""Seconds that a running service has to answer."""

LONGEST = 64 * 1024
"""Bytes that are read of its answer."""


def port(options: Options) -> Finding:
    where = f"{options.host}:{options.port}"
    error = _bind(options.host, options.port)
    if error is None:
        return ok("port", f"{where} is free")
    if error.errno == errno.EADDRINUSE:
        if not options.preflight and readiness(options) is not None:
            return ok("port", f"{where} is served by Xinghe")
        mend = f'make run ARGS="--port {_free_port(options)}"'
        if options.preflight and readiness(options) is not None:
            return fail("port", f"a Xinghe service already runs at http://{where}", mend)
        holder = listener(options.port)
        return fail("port", f"{where} is taken" + (f" by {holder}" if holder else ""), mend)
    if error.errno == errno.EACCES:
        text = f"only root may listen on port {options.port}"
        return fail("port", text, f'make run ARGS="--port {_free_port(options)}"')
    return fail("port", f"{where}: {error.strerror}", 'make run ARGS="--host 127.0.0.1"')


def proxy(_: Options, environ: Mapping[str, str] = os.environ) -> Finding:
    capturing = [name for name in CAPTURING if environ.get(name)]
    spared = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    entries = [entry.strip() for entry in spared.split(",") if entry.strip()]
    missing = [] if "*" in entries else [name for name in LOOPBACK if name not in entries]
    if capturing and missing:
        return warn(
            "proxy",
            f"{capturing[0]} is set, and clients on this machine will ask it for {missing[0]}",
            f"export NO_PROXY={','.join(entries + missing)} no_proxy={','.join(entries + missing)}",
        )
    return ok("proxy", "loopback is not captured" if capturing else "none")


def service(options: Options) -> Finding:
    status = readiness(options)
    if status is None:
        return ok("service", "not running")
    if status == READY:
        return ok("service", f"ready at http://{options.host}:{options.port}")
    return warn(
        "service", f"running, and not ready (/readyz: {status})", "see its log for the cause"
    )


def readiness(options: Options) -> int | None:
    """The status of GET /readyz; none where no such service answers."""
    return _readyz(options)[0]


def engines(options: Options) -> dict[str, dict[str, Any]]:
    """What a running service tells of its embedded engines; empty where none answers."""
    try:
        told = json.loads(_readyz(options)[1].decode("utf-8")).get("engines", {})
        return {
            str(name): {
                "threads": int(state["threads"]),
                "why": str(state["why"]),
                "reads": float(state["reads"]),
                "writes": float(state["writes"]),
                "measured": int(state["measured"]),
            }
            for name, state in told.items()
        }
    except (LookupError, ValueError, TypeError, AttributeError):
        return {}


def _readyz(options: Options) -> tuple[int | None, bytes]:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, options.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        status, body = answer.status, answer.read(LONGEST)
    except (OSError, http.client.HTTPException):
        return None, b""
    finally:
        connection.close()
    return (status, body) if status in {READY, NOT_READY} else (None, b"")


def _bind(host: str, number: int) -> OSError | None:
    try:
        found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                # As the server does: a port that is only cooling down is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        return error
    return None


def _free_port(options: Options) -> int:
    for candidate in range(max(options.port + 1, 8080), 65536):
        if _bind(options.host, candidate) is None:
            return candidate
    return 0


def listener(port: int) -> str | None:
    """Who listens: `name (process 123)`, or none where /proc does not tell (another user's)."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in filter(str.isdigit, os.listdir("/proc")) if sockets else ():
        if sockets.intersection(_open_files(process)):
            try:
                with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file:
                    return f"{file.read().strip()} (process {process})"
            except OSError:
                continue  # ended since
    return None


def _open_files(process: str) -> Iterator[str]:
    folder = f"/proc/{process}/fd"
    try:
        descriptors = os.listdir(folder)
    except OSError:
        return  # another user's process, or one that just ended
    for descriptor in descriptors:
        try:
            yield os.readlink(f"{folder}/{descriptor}")
        except OSError:
            continue  # closed since


def _inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            if row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port:
                inodes.add(row[9])
    return inodes
