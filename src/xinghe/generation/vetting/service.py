"""Vets the schemas of requests, and the answers that were to keep to them, in workers."""

import asyncio
import hashlib
import json
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import structlog

from xinghe.core import Busy, Constraint, ToolUse
from xinghe.generation.structure import CHARACTERS, NODES, Unguaranteed, sized
from xinghe.generation.tools import Decision, offered, placed
from xinghe.generation.vetting import wire
from xinghe.workers import (
    QueueFull,
    WorkerDied,
    WorkerFailure,
    WorkerOutOfMemory,
    WorkerPool,
    WorkerTimeout,
)

log = structlog.get_logger(__name__)

Result = wire.Formed | wire.Planned | wire.Refused
MODULE = "xinghe.generation.vetting.child"
SECONDS = 2.0
"""Of one schema, or all functions of a request, from when a worker begins."""
MEMORY = 512 * 1024 * 1024
"""Bytes of data of a worker, about 100 MB of which it has from the start."""
WORKERS = 2
CACHE = 32 * 1024 * 1024
"""Bytes of results."""
ENTRY = 500
"""Bytes that an entry of the cache takes beside its texts."""
BUSY = 300.0
"""Seconds that a refusal for time holds: the machine may just have been busy."""
ANY_OBJECT = b'{"type":"object"}'
ALL_NODES, ALL_CHARACTERS = 4 * NODES, 4 * CHARACTERS
"""Values and characters of all functions of a request together."""
DIED = 10.0
"""Seconds that the refusal of a schema holds that ended its workers: it ends no more of them."""
RETRY_AFTER = 2.0
"""Seconds to wait where too many schemas wait already, of this account or in all."""
TRIES = 2
"""A worker may die of something else than its call."""


class Unverified(Exception):
    """A finished answer could not be checked, so it cannot be promised; the text is why."""


class VettedForm(msgspec.Struct, frozen=True):
    """What an answer must look like.

    `constraint` is what the engine keeps to while it generates, `hint` tells the model in words,
    and `check` says what is wrong with a finished text, `None` if nothing is. It raises
    `Unverified`. Where it is not `exact`, the constraint admits more than what fits.
    """

    constraint: Constraint
    hint: str
    check: Callable[[str], Awaitable[str | None]]
    exact: bool = True


class VettedTools(msgspec.Struct, frozen=True):
    """The functions of a request; `decision` is `None` where the engine calls by itself.

    `fault` says what is wrong with arguments for a schema, as `VettedForm.check` does.
    """

    use: ToolUse
    decision: Decision | None
    fault: Callable[[bytes, str], Awaitable[str | None]]

    async def check(self, name: str, arguments: str) -> str | None:
        """What is wrong with a call, `None` if nothing is. Raises `Unverified`.

        A function that the request does not offer or allow, arguments that are not
        strict JSON, no object, or against the function's schema.
        """
        tool = offered(self.use, name)
        if tool is None:
            return f"there is no function {name!r} to call"
        fault = await self.fault(_json(tool.parameters), arguments)
        return fault and f"the arguments of {name!r} cannot be taken: {fault}"


class Vetting:
    """Two workers for schemas, two for answers, and a cache of what was found, refusals included.

    A call may take `seconds` from when a worker begins it. Each is started by the first call that
    needs it: most services see no schema, and a worker takes 40 MB and a third of a second. An
    answer that is being made does not wait behind the schemas of others.
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._schemas = WorkerPool(
            MODULE, wire.Verdict, size=WORKERS, timeout=seconds, memory=MEMORY
        )
        self._answers = WorkerPool(
            MODULE, wire.Verdict, size=WORKERS, timeout=seconds, memory=MEMORY
        )
        self._cache = Cache(CACHE)
        self._under_way = WeakValueDictionary[tuple[str, bytes], asyncio.Lock]()

    async def aclose(self) -> None:
        await self._schemas.aclose()
        await self._answers.aclose()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return self._schemas.pids + self._answers.pids

    async def form(
        self,
        schema: dict[str, Any] | None,
        *,
        about: dict[str, Any] | None = None,
        max_tokens: int,
        account: str,
        first: Callable[[], Awaitable[None]],
    ) -> VettedForm:
        """For a `response_format`; `first` is awaited before a worker is troubled.

        `about` goes along with the schema (see `Constraint`).

        Raises `Unguaranteed`, `Busy` and what `first` raises.
        """
        text = None
        if schema is not None:
            sized(schema)
            text = _json(schema)
        found = await self._vetted(wire.Form(text, max_tokens), account, first)
        assert isinstance(found, wire.Formed)
        constraint = Constraint(found.grammar, schema, about or {})
        check = partial(self.validate, text or ANY_OBJECT, account=account, arguments=False)
        return VettedForm(constraint, found.hint, check, found.exact)

    async def tools(
        self,
        use: ToolUse,
        *,
        native: bool,
        max_tokens: int,
        account: str,
        first: Callable[[], Awaitable[None]],
    ) -> VettedTools:
        """For functions, which the engine calls by itself where `native`; as `form`.

        The path of an `Unguaranteed` is a JSON Pointer into the request's `tools`.
        """
        text = _json_of(use)
        only = None if use.only is None else sorted(use.only)
        # How a native engine is to answer does not touch its functions.
        works = (
            wire.Functions(text, True, "auto", None, True, 0)
            if native
            else wire.Functions(text, False, use.choice, only, use.parallel, max_tokens)
        )
        found = await self._vetted(works, account, first)
        assert isinstance(found, wire.Planned)
        fault = partial(self.validate, account=account, arguments=True)
        return VettedTools(use, found.decision, fault)

    async def validate(
        self, schema: bytes, text: str, account: str, *, arguments: bool
    ) -> str | None:
        """What is wrong with a finished text, `None` if nothing is; `arguments` are of a function.

        Raises `Unverified`.
        """
        found = await self._promised(wire.Finished(schema, text, arguments), account)
        assert isinstance(found, wire.Validated)
        return found.fault

    async def walk(self, key: str, grammar: str, start: int, text: bytes, account: str) -> bool:
        """Whether `text`, which begins at byte 0 of the whole, keeps to `grammar` from `start` on.

        `key` names the text. Raises `Unverified`.
        """
        known = start
        sent = ""
        while True:
            found = await self._promised(wire.Walk(key, known, text[known:], sent), account)
            assert isinstance(found, wire.Walked)
            if not found.kept:
                return False
            if found.known >= len(text):
                return True
            # Another worker than the last time: it is told what it has not seen.
            sent = grammar if found.known < 0 else ""
            known = max(found.known, 0)

    async def _vetted(
        self, work: wire.Form | wire.Functions, account: str, first: Callable[[], Awaitable[None]]
    ) -> Result:
        key = key_of(work)
        found = self._cache.get(key)
        if found is None:
            await first()
            # What an account sends many times at once is vetted once, and fills no queue.
            async with self._under_way.setdefault((account, key), asyncio.Lock()):
                found = self._cache.get(key)
                if found is None:
                    found, seconds = await self._found(work, account, key)
                    # Another account may have found the same: that holds for as long as it did.
                    if self._cache.get(key) is None:
                        self._cache.put(key, found, seconds)
        if isinstance(found, wire.Refused):
            raise Unguaranteed(found.keyword, found.path, found.reason)
        return found

    async def _found(
        self, work: wire.Form | wire.Functions, account: str, key: bytes
    ) -> tuple[Result, float]:
        """The result, and for how many seconds it holds."""
        at: int | None = None

        def known() -> wire.Verdict | None:
            found = self._cache.get(key)
            return None if found is None else wire.Verdict(found)

        def begun(number: int) -> None:
            nonlocal at
            at = number

        seconds, kind, reason = math.inf, "", ""
        for _ in range(TRIES):
            try:
                verdict = await self._schemas.call(
                    wire.Wanted(work), account, progress=begun, known=known
                )
            except QueueFull as error:
                raise Busy(str(error), RETRY_AFTER) from None
            except WorkerTimeout:
                seconds, kind = BUSY, "time"
                reason = f"takes more than {self._seconds:g} s to compile"
            except WorkerOutOfMemory:
                kind, reason = "memory", f"takes more than {MEMORY >> 20} MB to compile"
            except WorkerDied:
                seconds, kind, reason = DIED, "died", "cannot be compiled"
                continue
            else:
                found = verdict.found
                assert isinstance(found, wire.Formed | wire.Planned | wire.Refused)
                if isinstance(found, wire.Refused) and found.kind:
                    log.warning("schema_refused", kind=found.kind)
                return found, math.inf
            break
        log.warning("schema_refused", kind=kind)
        refused = placed(at, Unguaranteed("schema", "", reason))
        return wire.Refused(refused.keyword, refused.path, refused.reason), seconds

    async def _promised(self, work: wire.Finished | wire.Walk, account: str) -> object:
        """What a worker finds of an answer that an engine is making: it is never turned away."""
        failure: WorkerFailure | None = None
        for _ in range(TRIES):
            try:
                verdict = await self._answers.call(wire.Wanted(work), account, bounded=False)
            except WorkerDied as error:
                failure = error
                continue
            except WorkerFailure as error:
                failure = error
                break
            if isinstance(verdict.found, wire.Refused):
                raise Unverified(verdict.found.kind or "grammar")
            return verdict.found
        raise Unverified(type(failure).__name__)


def _json_of(use: ToolUse) -> bytes:
    """The functions as JSON. Raises `Unguaranteed` for any that is beyond the limits, or all."""
    nodes = characters = 0
    for number, tool in enumerate(use.tools):
        try:
            own = sized(tool.parameters)
        except Unguaranteed as error:
            raise placed(number, error) from None
        nodes += own[0]
        characters += own[1] + len(tool.description)
        if nodes > ALL_NODES or characters > ALL_CHARACTERS:
            raise Unguaranteed(
                "tools", "", f"have more than {ALL_NODES} values or {ALL_CHARACTERS} characters"
            )
    return _json([msgspec.structs.asdict(tool) for tool in use.tools])


def _json(value: Any) -> bytes:
    # Escaped: a lone surrogate, which JSON may spell, has no UTF-8.
    return json.dumps(value, separators=(",", ":")).encode()


def key_of(work: wire.Form | wire.Functions) -> bytes:
    """All that a result depends on: use, schema and lengths."""
    return hashlib.sha256(msgspec.msgpack.encode(work)).digest()


class Cache(msgspec.Struct):
    """At most `size` bytes of results."""

    size: int
    held: int = 0
    """Bytes."""
    results: OrderedDict[bytes, tuple[Result, int, float]] = msgspec.field(
        default_factory=OrderedDict
    )
    """Each with its size, and the time until which it holds."""

    def get(self, key: bytes) -> Result | None:
        found, _, until = self.results.get(key, (None, 0, 0.0))
        if found is None:
            return None
        if time.monotonic() > until:
            self._drop(key)
            return None
        self.results.move_to_end(key)
        return found

    def put(self, key: bytes, result: Result, seconds: float = math.inf) -> None:
        """Keep a result that holds for so many seconds."""
        self._drop(key)
        size = ENTRY + len(msgspec.msgpack.encode(result))
        self.results[key] = result, size, time.monotonic() + seconds
        self.held += size
        while self.held > self.size:
            self._drop(next(iter(self.results)))

    def _drop(self, key: bytes) -> None:
        if key in self.results:
            self.held -= self.results.pop(key)[1]
