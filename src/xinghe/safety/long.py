"""Long texts, and many, are looked through in processes of their own: it takes up to seconds.

The parent alone watches the operator's lists: a child that does not know their last state says
so, and is told them. So a list of which only the last good state counts is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from xinghe.core import ACCOUNT
from xinghe.safety.judge import Place
from xinghe.safety.verdict import Verdict
from xinghe.settings import SafetyFlags
from xinghe.workers import WorkerDied, WorkerPool

MODULE = "xinghe.safety.worker"
A_TEXT = 20
"""Characters that beginning with a text is worth."""
AT_ONCE = 1_000
"""Characters that are looked through without more ado: some milliseconds."""
LONG = 20_000
"""Characters from which on a request waits among its like: each may take seconds."""
TIMEOUT = 120.0
"""Seconds. The longest request takes 10 if it is full of findings and the machine busy."""

GRACE = 2.0
"""Seconds that a request whose client has left may still take; a new child takes one to start."""


class Setting(msgspec.Struct, frozen=True):
    """What a child is started with."""

    flags: SafetyFlags
    builtin: bool


class Text(msgspec.Struct, frozen=True, array_like=True):
    """UTF-8, surrogates passed."""

    data: bytes
    place: Place


class Look(msgspec.Struct, frozen=True):
    """Texts to be looked through by the lists of `version`; `lists` where the child lacks them."""

    version: int
    texts: list[Text]
    lists: dict[str, bytes] | None = None


class Seen(msgspec.Struct, frozen=True):
    """One verdict a text; `None` in their place from a child that lacks the lists."""

    verdicts: list[Verdict | None] | None


class LongTexts:
    """Two children, each started by the first request that needs it.

    One for what takes up to some tenths of a second, one for what takes longer: a conversation of
    usual length never waits behind a book.
    """

    def __init__(self, flags: SafetyFlags, *, builtin: bool) -> None:
        told = msgspec.json.encode(Setting(flags, builtin)).decode()

        def pool(waiting: int, share: int, nice: int) -> WorkerPool[Seen]:
            return WorkerPool(
                MODULE,
                Seen,
                size=1,
                waiting=waiting,
                share=share,
                timeout=TIMEOUT,
                arguments=[told],
                nice=nice,
                grace=GRACE,
            )

        self._usual, self._long = pool(256, 32, 0), pool(32, 4, 5)

    @property
    def pids(self) -> list[int]:
        """The children that run."""
        return [*self._usual.pids, *self._long.pids]

    async def look(
        self, texts: Sequence[tuple[str, Place]], lists: Mapping[str, bytes], version: int
    ) -> list[Verdict | None]:
        """A verdict a text, in order. Raises `WorkerFailure`: `WorkerBusy` if too many wait."""
        pool = self._usual if size(texts) <= LONG else self._long
        sent = [Text(text.encode("utf-8", "surrogatepass"), place) for text, place in texts]
        seen = await _asked(pool, Look(version, sent))
        if seen.verdicts is None:
            seen = await _asked(pool, Look(version, sent, dict(lists)))
        assert seen.verdicts is not None
        return seen.verdicts

    async def aclose(self) -> None:
        await self._usual.aclose()
        await self._long.aclose()


async def _asked(pool: WorkerPool[Seen], look: Look) -> Seen:
    try:
        return await pool.call(look, ACCOUNT.get())
    except WorkerDied:  # whatever ended it, it may not have been this call
        return await pool.call(look, ACCOUNT.get())


def size(texts: Sequence[tuple[str, Place]]) -> int:
    """What looking through all of them takes, in characters: the sum counts, not the longest."""
    return sum(len(text) + A_TEXT for text, _ in texts)
