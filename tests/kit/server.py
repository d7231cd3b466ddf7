"""A real `xinghe serve`, from its start to proof that nothing of it is left."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.kit.command import environment, forked, xinghe

METRICS = re.compile(r"(?:metrics at |指标：)(http://\S+)")
READY = re.compile(r"(?:ready at |已就绪：)(http://\S+)")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One service on one data directory; `models` is the text of its models.toml."""

    def __init__(
        self,
        data: Path,
        *options: str,
        models: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.url = ""
        self.metrics_url = ""
        self.log = data / "test.log"
        self._options: Sequence[str] = options
        self._settings = settings
        self._process: ForkServerProcess | None = None
        self._family: list[psutil.Process] = []
        data.mkdir(parents=True, exist_ok=True)
        if models:
            (data / "models.toml").write_text(models, "utf-8")

    @property
    def pid(self) -> int:
        """The process id of its root."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.is_alive():
            self.stop()

    def start(self, timeout: float = 240.0) -> None:
        """Start it and wait until it says that it is ready."""
        port = str(free_port())
        command = ["serve", "--data", str(self.data), "--host", "127.0.0.1"]
        command += ["--port", port, *self._options]
        told = self.data / "test.stdout"
        told.write_bytes(b"")
        self._process = forked(command, environment(self._settings), told, self.log)
        end = time.monotonic() + timeout
        while not (ready := READY.search(told.read_text("utf-8"))):
            code = self._process.exitcode
            assert code is None, f"exit code {code} before it was ready:\n{self.tail()}"
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"not ready after {timeout} s:\n{self.tail()}")
            time.sleep(0.05)
        self.url = ready[1]
        metrics = METRICS.search(told.read_text("utf-8"))
        assert metrics, "it did not say where its metrics are"
        self.metrics_url = metrics[1]
        root = psutil.Process(self.pid)
        self._family = [root, *root.children(recursive=True)]

    def stop(self, timeout: float = 120.0) -> int:
        """Ask it to end (SIGTERM), check that nothing of it is left, and give its exit code."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self, timeout: float = 60.0) -> None:
        """Kill its root alone (SIGKILL) and check that its children follow."""
        self._end(signal.SIGKILL, timeout)

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def run(self, *arguments: str) -> str:
        """Run a `xinghe` command on the same data directory; gives its standard output."""
        return xinghe(*arguments, data=self.data, settings=self._settings)

    def token(self, *options: str, account: str = "default") -> str:
        """Make an access token."""
        return self.run("token", "create", "--account", account, *options)

    def _end(self, how: signal.Signals, timeout: float) -> int:
        process = self._process
        assert process is not None
        family = self._family + [c for p in self._family if p.is_running() for c in _children(p)]
        (process.kill if how == signal.SIGKILL else process.terminate)()
        process.join(timeout)
        code = process.exitcode
        if code is None:
            process.kill()
        _, left = psutil.wait_procs(family, timeout=60)
        for orphan in left:
            orphan.kill()
        assert code is not None, f"still running {timeout} s after {how.name}"
        assert not left, f"left behind after {how.name}: {left}"
        return code


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
