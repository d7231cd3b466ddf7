"""What the ledger says, through the command line that an operator has."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.kit.server import Server


@dataclass(frozen=True)
class Books:
    """The ledger of one account."""

    server: Server
    account: str = "default"

    def check(self) -> None:
        """Σ entries = balance, available = balance − open holds, for every account."""
        self.server.run("ledger", "check")

    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.server.run("account", "show", self.account, "--json")
        )
        return found

    def entries(self, limit: int = 200) -> list[dict[str, Any]]:
        """The newest entries."""
        found: list[dict[str, Any]] = json.loads(
            self.server.run(
                "ledger", "entries", "--account", self.account, "--limit", str(limit), "--json"
            )
        )
        return found

    def usage(self, request_id: str, timeout: float = 10.0) -> dict[str, Any]:
        """The one usage entry of a request; waits for it to be written."""
        end = time.monotonic() + timeout
        while not (found := self._of(request_id)):
            assert time.monotonic() < end, f"no usage entry of {request_id} after {timeout} s"
            time.sleep(0.1)
        assert len(found) == 1, f"charged {len(found)} times: {found}"
        return found[0]

    def settled(self, timeout: float = 10.0) -> None:
        """No hold is left open, and the books agree."""
        end = time.monotonic() + timeout
        while float(self.shown()["held"]) != 0:
            assert time.monotonic() < end, f"a hold is still open after {timeout} s"
            time.sleep(0.1)
        self.check()

    def free(self, request_id: str) -> None:
        """The request left no hold and no entry."""
        self.settled()
        assert self._of(request_id) == []

    def _of(self, request_id: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries() if entry["request_id"] == request_id]
