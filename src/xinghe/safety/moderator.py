"""The one door to moderation: the lexicon, the operator's lists, and a model if there is one.

Long texts, and many, are looked through in processes of their own: it takes up to seconds. The
parent alone is told the operator's lists: a child that does not know their last state says so, and
is told them. So they are the same everywhere.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

import msgspec
import structlog

from xinghe.core import ACCOUNT
from xinghe.safety.lists import read_list
from xinghe.safety.matcher import Judge, StreamScanner
from xinghe.safety.reviewer import Reviewer
from xinghe.safety.upstream import Upstream
from xinghe.safety.verdict import REFUSING, Place, Verdict
from xinghe.settings import SafetyFlags, SafetyUpstream
from xinghe.workers import WorkerDied, WorkerPool

log = structlog.get_logger(__name__)

A_TEXT = 20
"""Characters that beginning with a text is worth."""
AT_ONCE = 1_000
"""Characters that are looked through without more ado: some milliseconds."""
ASKED_AT_ONCE = 4
"""Texts of a request that the model is asked about at a time: others ask it, too."""
LONG = 20_000
"""Characters from which on a request waits among its like: each may take seconds."""
TIMEOUT = 120.0
"""Seconds. The longest request takes 10 if it is full of findings and the machine busy."""
GRACE = 2.0
"""Seconds that a request whose client has left may still take; a new child takes one to start."""
_FLAGS = SafetyFlags()
_NO_UPSTREAM = SafetyUpstream()


class WorkerSettings(msgspec.Struct, frozen=True):
    """What a child is started with."""

    flags: SafetyFlags
    builtin: bool


class Text(msgspec.Struct, frozen=True, array_like=True):
    """UTF-8, surrogates passed."""

    data: bytes
    place: Place


class CheckRequest(msgspec.Struct, frozen=True):
    """Texts to be looked through by the lists of `version`; `lists` where the child lacks them."""

    version: int
    texts: list[Text]
    lists: dict[str, bytes] | None = None


class CheckReply(msgspec.Struct, frozen=True):
    """One verdict a text; `None` in their place from a child that lacks the lists."""

    verdicts: list[Verdict | None] | None


class Moderator:
    """Says whether a text is unsafe, by the lexicon, by the operator's `lists`, and by a model.

    Lists come by the names of their files. `builtin=False` leaves them alone; `flags` tell how
    severe the lexicon's categories are. A text under way in a scanner keeps the lists with which
    it began.
    """

    def __init__(
        self,
        lists: Mapping[str, bytes] = {},
        *,
        builtin: bool = True,
        flags: SafetyFlags = _FLAGS,
        upstream: SafetyUpstream = _NO_UPSTREAM,
    ) -> None:
        self._flags = flags
        self._builtin = builtin
        # Two children, each started by the first request that needs it, one for what takes up to
        # some tenths of a second, one for what takes longer: a conversation of usual length never
        # waits behind a book.
        self._usual = self._pool(waiting=256, share=32, nice=0)
        self._long = self._pool(waiting=32, share=4, nice=5)
        self._upstream = Upstream(upstream, flags) if upstream.url else None
        self.asks_of_answers = self._upstream is not None and upstream.answers
        """Whether answers need a `reviewer` after their `scanner`."""
        self._in_force = dict(lists)
        self._version = int(bool(self._in_force))
        self._judge = self._build(self._in_force)

    @property
    def worker_pids(self) -> list[int]:
        """The processes that look through long texts, while they run."""
        return [*self._usual.pids, *self._long.pids]

    def check(self, text: str, place: Place = "conversation") -> Verdict | None:
        """The most severe finding of the lexicon and the lists, or `None`; see `Judge.check`."""
        return self._judge.check(text, place)

    async def review(self, texts: Sequence[tuple[str, Place]]) -> list[Verdict | None]:
        """What is found in each text, in order: as `check`, or else by the model if there is one.

        What is long in sum is looked through in a process of its own. Raises `WorkerFailure`
        (`QueueFull` where too many wait), and nothing of the model's. The model is asked once about
        equal texts, and no more after a finding that refuses the request (`REFUSING`).
        """
        written = [each for each in texts if each[0]]
        size = sum(len(text) + A_TEXT for text, _ in written)
        if size <= AT_ONCE:
            found = [self._judge.check(text, place) for text, place in written]
        else:
            pool = self._usual if size <= LONG else self._long
            found = await self._looked_through(written, pool)
        if self._upstream is not None:
            await self._ask(self._upstream, written, found)
        verdicts = iter(found)
        return [next(verdicts) if text else None for text, _ in texts]

    async def _looked_through(
        self, texts: Sequence[tuple[str, Place]], pool: WorkerPool[CheckReply]
    ) -> list[Verdict | None]:
        sent = [Text(text.encode("utf-8", "surrogatepass"), place) for text, place in texts]
        lists, version = self._in_force, self._version
        reply = await _asked(pool, CheckRequest(version, sent))
        if reply.verdicts is None:
            reply = await _asked(pool, CheckRequest(version, sent, lists))
        assert reply.verdicts is not None
        return reply.verdicts

    async def _ask(
        self, upstream: Upstream, texts: Sequence[tuple[str, Place]], found: list[Verdict | None]
    ) -> None:
        """Put into `found` what the model says of the texts in which nothing was found."""
        places = defaultdict[str, list[int]](list)
        refused = False
        for at, ((text, place), verdict) in enumerate(zip(texts, found, strict=True)):
            if verdict is not None:
                refused = refused or place in REFUSING
            elif place != "answer" or self.asks_of_answers:
                places[text].append(at)
        # A few at a time: a conversation may have very many messages.
        left = iter(places)
        while not refused and (some := list(islice(left, ASKED_AT_ONCE))):
            told = await asyncio.gather(*map(upstream.check, some))
            for text, verdict in zip(some, told, strict=True):
                for at in places[text]:
                    found[at] = verdict
                    refused = refused or (verdict is not None and texts[at][1] in REFUSING)

    def scanner(self) -> StreamScanner:
        """A scanner for one answer while it streams, by the lexicon and the lists."""
        return StreamScanner(self._judge.matcher)

    def reviewer(self) -> Reviewer:
        """Asks the model about one answer while it streams, where `asks_of_answers`."""
        assert self._upstream is not None, "there is no model to ask"
        return Reviewer(self._upstream.check)

    @property
    def refused_with(self) -> int | None:
        """The status with which the model's server last refused us what the operator owes it."""
        return None if self._upstream is None else self._upstream.refused_with

    async def use(self, lists: Mapping[str, bytes]) -> None:
        """Have these lists be in force in the place of those before."""
        if lists == self._in_force:
            return
        fresh = dict(lists)
        # In a thread: a long list takes time to build.
        self._judge = await asyncio.to_thread(self._build, fresh)
        self._in_force = fresh
        self._version += 1

    async def aclose(self) -> None:
        """Hang up; what is loaded stays in force."""
        await self._usual.aclose()
        await self._long.aclose()
        if self._upstream:
            await self._upstream.aclose()

    def _build(self, lists: dict[str, bytes]) -> Judge:
        for name, data in lists.items():
            for number, reason in read_list(name, data).broken:
                log.warning("safety list line skipped", list=name, line=number, why=reason)
        judge = Judge(self._flags, builtin=self._builtin, lists=lists)
        log.info("safety lists loaded", phrases=judge.matcher.size)
        return judge

    def _pool(self, *, waiting: int, share: int, nice: int) -> WorkerPool[CheckReply]:
        return WorkerPool(
            "xinghe.safety.worker",
            CheckReply,
            size=1,
            waiting=waiting,
            share=share,
            timeout=TIMEOUT,
            arguments=[msgspec.json.encode(WorkerSettings(self._flags, self._builtin)).decode()],
            nice=nice,
            grace=GRACE,
        )


async def _asked(pool: WorkerPool[CheckReply], request: CheckRequest) -> CheckReply:
    try:
        return await pool.call(request, ACCOUNT.get())
    except WorkerDied:  # whatever ended it, it may not have been this call
        return await pool.call(request, ACCOUNT.get())
