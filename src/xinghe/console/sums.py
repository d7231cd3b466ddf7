"""Sums of usage, read page by page until there are enough or half a second is over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from xinghe.api.account.schema import UsageList, UsageShown
from xinghe.console.calls import Calls

USAGE = "/v1/account/usage"
LIMIT = 1000
"""Sums of one page."""
SECONDS = 0.5
"""After which no further page is read: whoever shows them then says how far they go."""


async def sums(
    api: Calls, question: Mapping[str, Any], most: int | None = None
) -> tuple[list[UsageShown], str | None]:
    """Some pages of them, in order of time, and where they go on behind those (None: nowhere).

    With `most`, no more pages than have so many. Raises `Refused`.
    """
    rows: list[UsageShown] = []
    after: str | None = None
    end = time.monotonic() + SECONDS
    while True:
        found = await api.get(USAGE, UsageList, **question, limit=LIMIT, after=after)
        rows += found.data
        after = found.next
        enough = most is not None and len(rows) >= most
        if after is None or enough or time.monotonic() > end:
            return rows, after
