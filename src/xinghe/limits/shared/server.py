"""The Valkey server: one script, asked within a short time, and left alone while it is away."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import structlog

from xinghe.observe import metrics
from xinghe.regular import Regular
from xinghe.settings import Valkey

if TYPE_CHECKING:
    from valkey.asyncio import Valkey as Client

log = structlog.get_logger(__name__)

SCRIPT = Path(__file__).with_name("script.lua").read_text("utf-8")
TIMEOUT = 0.25
"""Seconds that a request waits for the server at most, before it is taken to be away."""
PROBE_SECONDS = 1.0
CONNECTIONS = 32
MOST_LATER = 10_000
"""Calls that wait to be sent; the oldest go first."""
PREFIX = "{xinghe}:"
"""Of every key; the braces keep them together on one node of a cluster."""
EVENTS = PREFIX + "events"

Argument: TypeAlias = str | int


class Away(Exception):
    """The server did not do what it was asked, or nobody knows whether it did."""


class Call(msgspec.Struct, frozen=True):
    """What the script is to do; `keep`: it is tried again when it may not have been done."""

    operation: str
    keys: Sequence[str]
    arguments: Sequence[Argument]
    keep: bool = False


class Server:
    """Asks the script. Once it has failed nobody asks it, but for a probe each second.

    `away` is why, in a few words, and empty while it serves; `returned` are told when it does
    again. `gateways` says how many live.
    """

    def __init__(
        self, settings: Valkey, gateways: Callable[[], int], *, script: str = SCRIPT
    ) -> None:
        self._settings = settings
        self._gateways = gateways
        self._script = script
        self._sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._client: Client | None = None
        self._trouble: tuple[type[Exception], ...] = (OSError, TimeoutError)
        self._unknown: type[Exception] = LookupError
        """What says that the server does not know the script, once the client is there."""
        self.away = "not asked yet"
        self.returned: list[Callable[[], None]] = []
        self._later = deque[Callable[[], Call | None]](maxlen=MOST_LATER)
        self._sending: asyncio.Task[None] | None = None
        self.regular = [Regular(self._probe, PROBE_SECONDS, "valkey_not_probed")]
        """What is done again and again between start and stop."""

    @property
    def gateways(self) -> int:
        """How many gateways live, this one among them."""
        return max(1, self._gateways())

    async def start(self) -> None:
        """Ask it once; where it is away, the service begins without it."""
        # Half a second of imports, and only who shares limits needs it.
        from xinghe.limits.shared import client  # noqa: PLC0415

        self._client = client.connected(self._settings, CONNECTIONS, TIMEOUT)
        self._trouble, self._unknown = client.TROUBLE, client.UNKNOWN
        await self._probe()
        for each in self.regular:
            await each.start()

    async def stop(self) -> None:
        """Send what waits to be sent, for as long as a request would wait."""
        for each in self.regular:
            await each.stop()
        if self._sending is not None:
            await asyncio.wait({self._sending}, timeout=TIMEOUT)
            self._sending.cancel()
            await asyncio.wait({self._sending}, timeout=TIMEOUT)
        if self._client is not None:
            await self._client.aclose()

    async def ask(self, operation: str, keys: Sequence[str], *arguments: Argument) -> Any:
        """What the script answers. Raises `Away`."""
        if self.away:
            raise Away(self.away)
        return await self._ask(operation, keys, arguments)

    def later(self, make: Callable[[], Call | None]) -> None:
        """Ask for what `make` says when its turn comes, one after another; nobody waits for it."""
        self._later.append(make)
        self._send()

    def _send(self) -> None:
        if self._later and not self.away and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._sent())

    async def _sent(self) -> None:
        while self._later and not self.away:
            make = self._later.popleft()
            call = make()
            if call is None:
                continue
            try:
                await self.ask(call.operation, call.keys, *call.arguments)
            except Away:
                if call.keep:
                    self._later.append(make)

    async def _ask(self, operation: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        # The client may swallow a cancellation (seen with 6.2.0), hence a task of its own.
        task = asyncio.create_task(self._told(len(keys), *keys, operation, *arguments))
        try:
            await asyncio.wait({task}, timeout=TIMEOUT)
        except asyncio.CancelledError:
            # What the caller asks next, to undo it, must come after it.
            await asyncio.wait({task}, timeout=TIMEOUT)
            raise
        finally:
            task.add_done_callback(_let_go)
            if not task.done():
                task.cancel()
        try:
            if not task.done():
                raise TimeoutError(f"no answer within {TIMEOUT:g} s")
            return task.result()
        except self._trouble as error:
            self._leave(str(error) or "no answer", type(error).__name__)
            raise Away(self.away) from error

    async def _told(self, *given: Argument) -> Any:
        client = self._client
        assert client is not None
        try:
            return await client.execute_command("EVALSHA", self._sha, *given)  # type: ignore[no-untyped-call]
        except self._unknown:
            return await client.execute_command("EVAL", self._script, *given)  # type: ignore[no-untyped-call]

    async def _probe(self) -> None:
        metrics.LIMITS_GATEWAYS.set(self.gateways)
        if not self.away:
            return
        try:
            # It writes: a server that only reads, or has no memory left, does not serve.
            await self._ask("take", [EVENTS], [0, 0, ""])
        except Away:
            return
        self.away = ""
        metrics.LIMITS_SHARED.set(1)
        log.info("limits_shared")
        for each in self.returned:
            each()
        self._send()

    def _leave(self, why: str, kind: str) -> None:
        metrics.LIMITS_FAULTS.labels(kind).inc()
        if not self.away or self.away == "not asked yet":
            log.warning("limits_not_shared", error=why, gateways=self.gateways)
        self.away = why
        metrics.LIMITS_SHARED.set(0)


def _let_go(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # whoever asked has gone, or has heard it
