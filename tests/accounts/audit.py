"""The audit log as a test reads it: what was added since it last looked."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.storage import Database


class Audit:
    """Each row as (actor, action, subject, before, after)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = 0

    async def new(self) -> list[tuple[str, str, str, Any, Any]]:
        rows = await self._database.read(
            lambda c: c.rows(
                "SELECT id, actor, action, subject, before, after FROM audit WHERE id > $1 "
                "ORDER BY id",
                self._seen,
            )
        )
        self._seen = rows[-1][0] if rows else self._seen
        return [
            (actor, action, subject, _decoded(before), _decoded(after))
            for _, actor, action, subject, before, after in rows
        ]

    async def skip(self) -> None:
        await self.new()


def _decoded(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
