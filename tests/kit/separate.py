"""A server in a process of its own, which can be killed and started again: a scripted upstream."""

from __future__ import annotations

import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from tests.kit.server import free_port
from tests.kit.upstream import Upstream


class Separate:
    """One server on a port of its own, which it keeps over its deaths.

    `module` is given the port, and says `serving` once it does; by default a scripted upstream.
    """

    def __init__(self, module: str = __name__) -> None:
        self._module = module
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        command = [sys.executable, "-m", self._module, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"serving\n"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: what it had begun breaks off."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    with Upstream(int(sys.argv[1])):
        print("serving", flush=True)
        while True:
            time.sleep(60)
