"""What the ledger says, through the command line that an operator has."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw

from tests.kit.server import Server

MICRO = 1_000_000
MONEY = ("amount", "balance", "balance_after", "available", "held")


@dataclass(frozen=True)
class Books:
    """The ledger of one account; amounts are in micro-Tokens."""

    server: Server
    account: str = "default"

    def check(self) -> None:
        """Σ entries = balance, available = balance − open holds, for every account."""
        self.server.run("ledger", "check")

    def shown(self) -> dict[str, Any]:
        return _micro(_read(self.server.run("member", "show", self.account, "--json")))

    def entries(self, limit: int = 200) -> list[dict[str, Any]]:
        """The newest entries."""
        asked = ["--member", self.account, "--limit", str(limit), "--json"]
        return [_micro(entry) for entry in _read(self.server.run("ledger", "entries", *asked))]

    def usage(self, request_id: str, timeout: float = 60.0) -> dict[str, Any]:
        """The one usage entry of a request; waits for it to be written."""
        end = time.monotonic() + timeout
        while not (found := self._of(request_id)):
            assert time.monotonic() < end, f"no usage entry of {request_id} after {timeout} s"
            time.sleep(0.1)
        assert len(found) == 1, f"charged {len(found)} times: {found}"
        return found[0]

    def settled(self, timeout: float = 60.0) -> None:
        """No hold is left open, and the books agree."""
        end = time.monotonic() + timeout
        while self.shown()["held"] != 0:
            assert time.monotonic() < end, f"a hold is still open after {timeout} s"
            time.sleep(0.1)
        self.check()

    def free(self, request_id: str) -> None:
        """The request left no hold and no entry."""
        self.settled()
        assert self._of(request_id) == []

    def _of(self, request_id: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries() if entry["request_id"] == request_id]


def noted(data: Path) -> dict[str, int]:
    """The completion tokens that the last checkpoint of each open hold says, by request id."""
    query = "SELECT request_id, emitted FROM holds WHERE state = 'open'"
    return {str(request): int(emitted) for request, emitted in _rows(data, query)}


def started(data: Path) -> set[str]:
    """The request ids of the open holds that are known to owe something."""
    query = "SELECT request_id FROM holds WHERE state = 'open' AND started"
    return {str(request) for (request,) in _rows(data, query)}


def running(data: Path) -> dict[str, str]:
    """The request id of each open hold."""
    return {
        str(h): str(r)
        for h, r in _rows(data, "SELECT id, request_id FROM holds WHERE state = 'open'")
    }


def _rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(data / "xinghe.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(query))
    finally:
        connection.close()


def _read(text: str) -> Any:
    # Decimals, so that not one micro-Token is lost on the way.
    return json.loads(text, parse_float=Decimal)


def _micro(fields: dict[str, Any]) -> dict[str, Any]:
    """The same with its amounts of Tokens as whole micro-Tokens."""
    amounts = {name: fields[name] * MICRO for name in MONEY if name in fields}
    assert all(amount == int(amount) for amount in amounts.values())
    return fields | {name: int(amount) for name, amount in amounts.items()}
