"""The one door to moderation: the lexicon, the operator's lists, and a model if there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from xinghe.safety.judge import Judge, Place
from xinghe.safety.lists import OperatorLists
from xinghe.safety.long import AT_ONCE, LongTexts, size
from xinghe.safety.reviewer import Reviewer
from xinghe.safety.stream import StreamScanner
from xinghe.safety.upstream import Upstream
from xinghe.safety.verdict import Verdict
from xinghe.settings import SafetyFlags, SafetyUpstream

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
"""How often the folder is looked at: polling also works on network and container mounts."""
_FLAGS = SafetyFlags()
_NO_UPSTREAM = SafetyUpstream()


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
        self._builtin = builtin
        self._long = LongTexts(flags, builtin=builtin)
        self._upstream = Upstream(upstream, flags) if upstream.url else None
        self._asks_of_answers = upstream.answers
        self._lists.refresh()
        self._in_force = self._lists.good
        self._version = int(bool(self._in_force))
        self._judge = self._build(self._in_force)
        self._watch: asyncio.Task[None] | None = None

    @property
    def worker_pids(self) -> list[int]:
        """The processes that look through long texts, while they run."""
        return self._long.pids

    def check(self, text: str, place: Place = "conversation") -> Verdict | None:
        """The most severe finding of the lexicon and the lists, or `None`; see `Judge.check`."""
        return self._judge.check(text, place)

    @staticmethod
    def is_quick(texts: Sequence[tuple[str, Place]]) -> bool:
        """Whether `check_all` has nothing to wait for."""
        return size(texts) <= AT_ONCE

    async def check_all(self, texts: Sequence[tuple[str, Place]]) -> list[Verdict | None]:
        """As `check` for each, in order; what is long in sum, in a process of its own.

        Raises `WorkerFailure`: `WorkerBusy` where too many wait.
        """
        if self.is_quick(texts):
            return [self.check(text, place) for text, place in texts]
        return await self._long.look(texts, self._in_force, self._version)

    async def review(self, text: str, place: Place = "conversation") -> Verdict | None:
        """As `check_all`, and asks the model where the lexicon and the lists found nothing.

        Raises nothing of the model's.
        """
        (found,) = await self.check_all([(text, place)])
        return found or await self.ask(text, place)

    async def ask(self, text: str, place: Place = "conversation") -> Verdict | None:
        """What the model says of a text in which nothing else was found, if there is a model."""
        if self._upstream is None or (place == "answer" and not self._asks_of_answers):
            return None
        return await self._upstream.check(text)

    def scanner(self) -> StreamScanner:
        """A scanner for one answer while it streams, by the lexicon and the lists."""
        return StreamScanner(self._judge.matcher)

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
        await self._long.aclose()
        if self._upstream:
            await self._upstream.aclose()

    async def _follow(self) -> None:
        while True:
            try:
                # In a thread: the disk may be slow, and a long list takes time to build.
                fresh = await asyncio.to_thread(self._refreshed)
                if fresh:
                    self._judge, self._in_force = fresh
                    self._version += 1
            except Exception:
                log.exception("safety lists not refreshed")
            await asyncio.sleep(POLL_SECONDS)

    def _refreshed(self) -> tuple[Judge, dict[str, bytes]] | None:
        if not self._lists.refresh():
            return None
        good = self._lists.good
        return self._build(good), good

    def _build(self, lists: dict[str, bytes]) -> Judge:
        judge = Judge(self._flags, builtin=self._builtin, lists=lists)
        log.info("safety lists loaded", phrases=judge.matcher.size)
        return judge
