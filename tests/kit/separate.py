"""The scripted upstream in a process of its own, which can be killed and started again."""

from __future__ import annotations

import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from tests.kit.server import free_port
from tests.kit.upstream import Upstream


class Separate:
    """One upstream on a port of its own, which it keeps over its deaths."""

    def __init__(self) -> None:
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
        command = [sys.executable, "-m", "tests.kit.separate", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"serving\n"

    def kill(self) -> None:
        """SIGKILL: what it had begun breaks off."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    with Upstream(int(sys.argv[1])):
        print("serving", flush=True)
        while True:
            time.sleep(60)
