"""The one door to moderation: the lexicon, the operator's lists, and a model if there is one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal, TypeAlias

import structlog

from xinghe.safety.lexicon import lexicon
from xinghe.safety.lists import OperatorLists
from xinghe.safety.matcher import Matcher
from xinghe.safety.requests import Requests, requests
from xinghe.safety.reviewer import Reviewer
from xinghe.safety.stream import StreamScanner
from xinghe.safety.upstream import Upstream
from xinghe.safety.verdict import Verdict
from xinghe.settings import SafetyFlags, SafetyUpstream

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
"""How often the folder is looked at: polling also works on network and container mounts."""
LARGE = 20_000
"""Characters from which a check is worth a thread of its own."""
_WORST = 4
_FLAGS = SafetyFlags()
_NO_UPSTREAM = SafetyUpstream()


Place: TypeAlias = Literal["system", "user", "functions", "conversation", "answer"]


class Moderator:
    """Says whether a text is unsafe, by the lexicon, by `folder/*.txt`, and by a model.

    `folder` need not exist. `builtin=False` leaves the operator's lists alone; `flags` tell how
    severe the lexicon's categories are. A text under way in a scanner keeps the lists with which
    it began.
    """

    def __init__(
        self,
        folder: Path,
        *,
        builtin: bool = True,
        flags: SafetyFlags = _FLAGS,
        upstream: SafetyUpstream = _NO_UPSTREAM,
    ) -> None:
        self._lists = OperatorLists(folder)
        self._flags = flags
        self._builtin = lexicon(flags) if builtin else ()
        self._requests = requests(flags) if builtin else Requests(())
        self._upstream = Upstream(upstream, flags) if upstream.url else None
        self._asks_of_answers = upstream.answers
        self._lists.refresh()
        self._matcher = self._build()
        self._watch: asyncio.Task[None] | None = None

    def check(self, text: str, place: Place = "conversation") -> Verdict | None:
        """The most severe finding of the lexicon and the lists, or `None`.

        Takes any string, surrogates included. Answers are looked through for phrases alone, as
        while they stream: combinations of words tell what is asked, not what is told.
        """
        found = self._matcher.check(text)
        if place == "answer" or (found and found.flag == _WORST):
            return found
        names = set(self._requests.categories(text))
        if names and self._matcher.allows:
            names &= set(self._requests.categories(self._matcher.without_allowed(text)))
        asked = [Verdict(getattr(self._flags, name), name) for name in sorted(names)]
        return max([found, *asked], key=lambda verdict: verdict.flag if verdict else 0)

    async def review(self, text: str, place: Place = "conversation") -> Verdict | None:
        """As `check`, and asks the model where the lexicon and the lists found nothing.

        A long text is looked through in a thread. Raises nothing of the model's.
        """
        if len(text) > LARGE:
            found = await asyncio.to_thread(self.check, text, place)
        else:
            found = self.check(text, place)
        if found or self._upstream is None or (place == "answer" and not self._asks_of_answers):
            return found
        return await self._upstream.check(text)

    def scanner(self) -> StreamScanner:
        """A scanner for one answer while it streams, by the lexicon and the lists."""
        return StreamScanner(self._matcher)

    @property
    def asks_of_answers(self) -> bool:
        """Whether answers need a `reviewer`; else a `scanner` does the same without waiting."""
        return self._upstream is not None and self._asks_of_answers

    def reviewer(self) -> Reviewer:
        """As `scanner`, and asks the model, if there is one for answers."""
        ask = self._upstream.check if self._upstream and self._asks_of_answers else None
        return Reviewer(self.scanner(), ask)

    async def start(self) -> None:
        """Begin to watch the operator's lists."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._follow(), name="safety lists")

    async def stop(self) -> None:
        """Watch no longer, and hang up; what is loaded stays in force."""
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        if self._upstream:
            await self._upstream.aclose()

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
