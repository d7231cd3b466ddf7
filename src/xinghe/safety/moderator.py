"""The one door to moderation: the lexicon and the operator's lists, always up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from xinghe.safety.lexicon import lexicon
from xinghe.safety.lists import OperatorLists
from xinghe.safety.matcher import Matcher
from xinghe.safety.stream import StreamScanner
from xinghe.safety.verdict import Verdict

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
"""How often the folder is looked at: polling also works on network and container mounts."""


class Moderator:
    """Says whether a text is unsafe, by the lexicon and by `folder/*.txt`.

    `folder` need not exist. `builtin=False` leaves the operator's lists alone. A text under way
    in a scanner keeps the lists with which it began.
    """

    def __init__(self, folder: Path, *, builtin: bool = True) -> None:
        self._lists = OperatorLists(folder)
        self._builtin = lexicon() if builtin else ()
        self._lists.refresh()
        self._matcher = self._build()
        self._watch: asyncio.Task[None] | None = None

    def check(self, text: str) -> Verdict | None:
        """The most severe finding in a text, or `None`. Takes any string, surrogates included."""
        return self._matcher.check(text)

    def scanner(self) -> StreamScanner:
        """A scanner for one answer while it streams."""
        return StreamScanner(self._matcher)

    async def start(self) -> None:
        """Begin to watch the operator's lists."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._follow(), name="safety lists")

    async def stop(self) -> None:
        """Watch no longer; what is loaded stays in force."""
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None

    async def _follow(self) -> None:
        while True:
            try:
                # In a thread: the disk may be slow, and a long list takes time to build.
                fresh = await asyncio.to_thread(self._refreshed)
                if fresh:
                    self._matcher = fresh
            except Exception:
                log.exception("safety lists not refreshed")
            await asyncio.sleep(POLL_SECONDS)

    def _refreshed(self) -> Matcher | None:
        return self._build() if self._lists.refresh() else None

    def _build(self) -> Matcher:
        matcher = Matcher((*self._builtin, *self._lists.phrases))
        log.info("safety lists loaded", phrases=matcher.size)
        return matcher
