"""The embedded engine as the gateway sees it: an HTTP client of a supervised child."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog
from msgspec.structs import replace

from xinghe.catalog import LlamaCppDeployment
from xinghe.core import (
    Delta,
    EngineRequest,
    Message,
    PrefillDelta,
    Prompt,
    Thinking,
    ToolUse,
)
from xinghe.engines.llamacpp.admission import ContextAdmissionQueue
from xinghe.engines.llamacpp.events import Read, translate
from xinghe.engines.llamacpp.note import Note
from xinghe.engines.llamacpp.occupancy import Occupancy
from xinghe.engines.llamacpp.prefill import PrefillScheduler, Work
from xinghe.engines.llamacpp.prompts import Prompts
from xinghe.engines.llamacpp.slots import Slot
from xinghe.engines.llamacpp.watch import Watch
from xinghe.engines.protocol import (
    NOTHING_SAID,
    Abilities,
    Batch,
    EngineAway,
    EngineFailed,
    EngineUnavailable,
    Steered,
)
from xinghe.engines.reading import telling
from xinghe.outbound import (
    PAUSES,
    RETRY_AFTER,
    CallFailed,
    Client,
    EventStream,
    Refused,
    Response,
    Unreachable,
    decoded,
    tries,
)

log = structlog.get_logger(__name__)
T = TypeVar("T")

SILENCE_TIMEOUT, SILENCE_WITH_VISION = 300.0, 900.0
"""Seconds for a piece of a prompt; a picture is read in one step, during which no stream moves.
Whether the child lives is told by what it computes, see `Watch`."""
CONNECT_TIMEOUT = 5.0
HEALTH_TIMEOUT = 2.0
MOST_ANSWERED = 64 * 1024 * 1024
"""Bytes of a whole answer: the rendered prompt, or its tokens."""
START_TIMEOUT = 15.0
"""Seconds to wait for a child that is being started: the default weights load in about five."""
IDLE_SECONDS = 4.0
"""The child closes an idle connection after 5 s: ours is closed before."""
ONCE = {"Connection": "close"}
"""The child closes a connection after a stream without saying so; the next request would fail."""
GRAMMAR_PREFIX = "%llguidance {}\n"
"""What tells llama.cpp that a grammar is Lark for llguidance and not its own notation."""


class LlamaCppEngine:
    """Speaks to one child; the supervisor says where it listens, anew after each restart.

    `beside` is an engine on the same child, which may still be at work. `note` is what the model
    is told of the platform.
    """

    def __init__(
        self,
        served_by: str,
        deployment: LlamaCppDeployment,
        beside: LlamaCppEngine | None = None,
        note: Note | None = None,
    ) -> None:
        vision = bool(deployment.mmproj)
        self.served_by = served_by
        self.abilities = Abilities(
            constraints="grammar",
            tools=False,
            thinks=deployment.thinks,
            vision=vision,
            logprobs=True,
            note="" if note is None else note.alone,
        )
        self._switch = False
        self._repeat_penalty = deployment.repeat_penalty
        self._longest = deployment.longest_wait or None
        self._address: str | None = None
        self._known = asyncio.Event()
        """Where it listens, or that it is broken."""
        self._key = ""
        self._prompts = Prompts(self._ask, vision=vision, note=note)
        self._queue, self._longest_wait = deployment.queue, deployment.longest_wait
        self._child: Occupancy = beside._child if beside else Occupancy(deployment)
        self._watch = Watch(served_by)
        silence = SILENCE_WITH_VISION if vision else SILENCE_TIMEOUT
        self._client = Client(CONNECT_TIMEOUT, silence, idle=IDLE_SECONDS)

    @property
    def admission(self) -> ContextAdmissionQueue:
        """The places of the child, asked for as this deployment has it."""
        return self._child.admission.under(queue=self._queue, longest=self._longest_wait)

    def locate(
        self,
        address: str | None,
        key: str = "",
        special: Sequence[str] = (),
        pid: int = 0,
        *,
        broken: bool = False,
        switch: bool = False,
    ) -> None:
        """Where the child listens; `None` while there is none.

        `special` are the texts of its model's special tokens, `pid` is its process. With a `switch`
        its chat template can be told whether to think. One that is
        `broken` could not be started, and nobody waits for it.
        """
        self._watch.follow(pid)
        if address is not None:
            self._prompts.use(special)
            self._switch = switch
            steered: Steered = "switch" if switch and self.abilities.thinks else "no"
            self.abilities = replace(self.abilities, steered=steered)
        self._address, self._key = address, key
        self._child.follow(key)
        if address is None and not broken:
            self._known.clear()
        else:
            self._known.set()

    async def ready(self) -> bool:
        if self._address is None:
            return False
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT):
                with await self._client.send("GET", f"{self._address}/health", headers={}):
                    return True
        except (CallFailed, TimeoutError):
            return False

    async def prepare(
        self,
        messages: Sequence[Message],
        tools: ToolUse | None = None,
        opening: str = "",
        *,
        asked: Thinking = NOTHING_SAID,
    ) -> Prompt:
        messages = await self._prompts.shown(messages)
        for one in tries(PAUSES, EngineUnavailable, _unavailable):
            async with one:
                await self._wait_for_child()
                return await self._prompts.noted(messages, opening, self._on(messages, asked))
        raise AssertionError("unreachable")

    async def tokens(
        self, asked: str | Sequence[Message], *, framed: bool = True
    ) -> list[int] | None:
        for one in tries(PAUSES, EngineUnavailable, _unavailable):
            async with one:
                await self._wait_for_child()
                if isinstance(asked, str):
                    return await self._prompts.tokens(asked, framed=framed)
                on = self._on(asked, NOTHING_SAID)
                found: Any = (await self._prompts.render(asked, "", on)).payload
                return found if isinstance(found, list) else None
        raise AssertionError("unreachable")

    def _on(self, messages: Sequence[Message], asked: Thinking) -> bool | None:
        """What its template is told; nothing where it does not listen.

        A model that thinks by itself is to, unless it is asked not to, or goes on with an answer
        that was begun: left to itself, llama.cpp guesses by the template's tags. Any other is not.
        """
        if not self._switch:
            return None
        begun = bool(messages) and messages[-1].role == "assistant"
        return self.abilities.thinks and asked.on is not False and not begun

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Batch]:
        for one in tries(PAUSES, EngineUnavailable, _unavailable):
            async with one, aclosing(self._generate(request)) as batches:
                async for batch in batches:
                    yield batch
                return

    async def _generate(self, request: EngineRequest) -> AsyncGenerator[Batch]:
        await self._wait_for_child()
        slots, prefill = self._child.slots, self._child.prefill
        tokens = request.prompt.bound + request.prompt.ours + request.max_tokens
        async with slots.hold(request.account, request.prompt.payload, tokens) as slot:
            self._check(prefill)
            longest = None if request.priority else self._longest
            with (
                prefill.work(str(request.account), longest) as work,
                telling("reading the prompt", partial(prefill.expected, work)),
            ):
                try:
                    for other in slots.in_the_way():
                        await self._complete(other, [0])
                    cached = None
                    while (found := await self._read(request, slot, prefill, work)) is not None:
                        if cached is None:
                            cached = found
                            yield Batch(time.perf_counter(), [PrefillDelta()])
                    body = self._body(request, slot)
                    with await self._post("/completion", body, **ONCE) as answer:
                        yield Batch(time.perf_counter(), [PrefillDelta()])
                        stream = EventStream(answer, tokens)
                        counted = 0
                        while events := await self._watch.during(stream.next()):
                            arrived = time.perf_counter()
                            deltas: list[Delta] = []
                            before = counted
                            for event in events:
                                counted = translate(event, counted, slot, cached, deltas, request)
                            if counted > before:
                                prefill.wrote(work, counted - before)
                            if deltas:
                                yield Batch(arrived, deltas)
                except CallFailed as error:
                    # What took the request and died may have died of it.
                    again = isinstance(error, Unreachable) and not error.connected
                    raise (EngineUnavailable if again else EngineFailed)(str(error)) from None

    async def _read(
        self, request: EngineRequest, slot: Slot, prefill: PrefillScheduler, work: Work
    ) -> int | None:
        """Have the next piece of the prompt read, unless it is the last: its turn has come then.

        Returns how many tokens the child still had of an earlier prompt, `None` at the last piece.
        """
        payload = request.prompt.payload
        if not isinstance(payload, list):  # a prompt with pictures is text, and has no such pieces
            await prefill.take(work, request.prompt.bound, whole=True)
            self._check(prefill)
            return None
        piece = await prefill.take(work, len(payload) - slot.known)
        self._check(prefill)
        end = slot.known + piece
        if end >= len(payload):
            return None
        began = time.monotonic()
        read = await self._complete(slot, payload[:end])
        prefill.took(piece, time.monotonic() - began)
        slot.read(end)
        prefill.end(work)
        return read.timings.cache_n

    def _check(self, prefill: PrefillScheduler) -> None:
        """Whose turns these are may have ended: in the next one, the slots are others'."""
        if prefill is not self._child.prefill:
            raise EngineUnavailable("the embedded engine was started anew")

    async def _complete(self, slot: Slot, prompt: list[int]) -> Read:
        """Have a slot read a prompt, and answer nothing. Raises `CallFailed`."""
        body = {
            "prompt": prompt,
            "n_predict": 0,
            "top_k": 1,
            "id_slot": slot.number,
            "cache_prompt": slot.reused,
            "response_fields": ["timings"],
        }
        with await self._post("/completion", body) as answer:
            return decoded(await self._watch.during(answer.whole(MOST_ANSWERED)), Read)

    async def aclose(self) -> None:
        self._watch.close()
        await self._prompts.aclose()
        await self._client.aclose()

    def _body(self, request: EngineRequest, slot: Slot) -> dict[str, Any]:
        """For `/completion`; where the slot is not `reused`, what it holds is dropped.

        `return_progress` is what lets a cancelled request leave its slot in the middle of a
        prefill.
        """
        sampling, constraint = request.sampling, request.constraint
        formal = constraint is not None and constraint.formal
        penalty = 1.0 if formal else self._repeat_penalty
        body: dict[str, Any] = {
            "prompt": request.prompt.payload,
            "n_predict": request.max_tokens,
            "stream": True,
            "id_slot": slot.number,
            "cache_prompt": slot.reused,
            "return_progress": True,
            "return_tokens": True,
            # At least one: of none, it tells nothing of the token itself, either.
            "n_probs": None if request.logprobs is None else max(1, request.logprobs),
            "repeat_penalty": penalty * (sampling.penalty_score or 1.0),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "frequency_penalty": sampling.frequency_penalty,
            "presence_penalty": sampling.presence_penalty,
            "seed": sampling.seed,
            "grammar": GRAMMAR_PREFIX + constraint.grammar if constraint else None,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def _ask(self, path: str, body: object, kind: type[T]) -> T:
        try:
            with await self._post(path, body) as answer:
                return decoded(await self._watch.during(answer.whole(MOST_ANSWERED)), kind)
        except Refused as refused:
            raise EngineFailed(f"{path}: {refused}") from None
        except CallFailed as error:
            raise EngineUnavailable(f"{path}: {error}") from None

    async def _post(self, path: str, body: object, **headers: str) -> Response:
        await self._wait_for_child()
        headers |= {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        url, data = f"{self._address}{path}", msgspec.json.encode(body)
        return await self._watch.during(self._client.send("POST", url, body=data, headers=headers))

    async def _wait_for_child(self) -> None:
        """Wait for one that is being started; returns at once where there is one."""
        if self._address is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(START_TIMEOUT):
                    while not self._known.is_set():  # it may go away again
                        await self._known.wait()
        if self._address is None:
            raise EngineAway("the embedded engine is not running", RETRY_AFTER)


def _unavailable(error: EngineUnavailable, pause: float | None) -> None:
    log.warning("tried_again", error=str(error), after=pause)
    if pause is None:
        raise EngineAway(str(error), RETRY_AFTER) from None
