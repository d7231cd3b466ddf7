"""Any OpenAI-compatible server as an engine.

Its faults become ours and its text stays here: an `EngineError` is for the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from xinghe.catalog import PENALTY, UpstreamDeployment
from xinghe.core import (
    Delta,
    EngineRequest,
    Message,
    PrefillDelta,
    Prompt,
    Thinking,
    ToolUse,
    UsageDelta,
)
from xinghe.engines.chunks import Chunks
from xinghe.engines.heads import head_of
from xinghe.engines.prompts import (
    bounded_tokens,
    estimated_in_turns,
    wire_format,
    wire_messages,
    wire_thinking,
    wire_tools,
)
from xinghe.engines.protocol import (
    NOTHING_SAID,
    Abilities,
    Batch,
    EngineAway,
    EngineBusy,
    EngineError,
    EngineFailed,
    EngineInterrupted,
    EngineRefused,
    PromptTooLong,
    PromptUnsafe,
    portions,
)
from xinghe.engines.vision import Vision
from xinghe.outbound import (
    A_CHARACTER,
    PAUSES,
    RETRY_AFTER,
    CallFailed,
    Coalescer,
    EventStream,
    Refused,
    Response,
    Unreadable,
    Whose,
)
from xinghe.outbound.replicas import Attempt, Away, Pool, ServerState
from xinghe.workers import Slots

TOKENS_A_MESSAGE = 8
"""The most that a chat template puts around one message, with what opens the answer."""
TOKENS_FOR_TOOLS = 400
"""The most that a template says about the use of tools."""
USAGE_TIMEOUT = 5.0
"""Seconds to wait, after the finish reason, for the usage and `[DONE]`."""
MORE_TIMEOUT = 60.0
"""The same where the reason came beside a text: some servers say it on every chunk."""


class UpstreamEngine:
    """Calls `POST <url>/chat/completions`: as a stream, whatever the client asked for, unless the
    deployment says `whole`.
    """

    def __init__(
        self, name: str, deployment: UpstreamDeployment, before: UpstreamEngine | None = None
    ) -> None:
        """`before` served the deployment until it was changed: slots and servers are the same."""
        self.served_by = f"{name}/{deployment.model}"
        self.abilities = Abilities(
            constraints="none" if deployment.structure == "none" else "schema",
            tools=deployment.tools,
            thinks=deployment.thinks or deployment.opens_thought,
            vision=deployment.vision,
            steered="fully" if deployment.thinking_fields - {"thinking_budget"} else "no",
            logprobs=deployment.logprobs,
        )
        self._deployment = deployment
        self._pool: Pool = Pool(name, deployment, before._pool if before else None)
        count, queue = self._pool.capacity, deployment.queue
        self.admission: Slots = before.admission if before else Slots(count, queue=queue)
        self.admission.bound(queue=queue)
        self.admission.resize(count)
        self._pool.on_resize(self.admission.resize)
        self._vision = Vision(decodes=True)

    @property
    def servers(self) -> list[ServerState]:
        """How each of its servers is."""
        return self._pool.servers

    async def ready(self) -> bool:
        return await self._pool.ready()

    async def prepare(
        self,
        messages: Sequence[Message],
        tools: ToolUse | None = None,
        opening: str = "",
        *,
        asked: Thinking = NOTHING_SAID,
    ) -> Prompt:
        del asked  # the request tells it
        assert not opening, "an upstream begins its answers by itself"
        if any(message.parts for message in messages):
            messages = await self._vision.shown(messages)
        payload: dict[str, Any] = {
            "messages": await wire_messages(messages, self._deployment.thought_field)
        }
        frame = TOKENS_A_MESSAGE * (len(messages) + 1)
        texts: list[str] = []
        for message in messages:  # all of it that a template puts into the prompt
            texts += [message.content, message.name or "", message.tool_call_id or ""]
            if self._deployment.thought_field != "none":
                texts.append(message.thought)
            for call in message.tool_calls:
                texts += [call.id, call.name, call.arguments]
        if tools:
            payload |= wire_tools(tools)
            texts.append(msgspec.json.encode(payload["tools"]).decode())
            frame += TOKENS_A_MESSAGE * len(payload["tools"]) + TOKENS_FOR_TOOLS
        estimate = await estimated_in_turns("\n".join(texts))
        bound = sum(map(bounded_tokens, texts))
        return Prompt(
            tokens=min(estimate, bound) + frame,
            bound=bound + frame,
            exact=False,
            payload=payload,
            thinks=self._deployment.opens_thought,
        )

    async def tokens(self, _: str | Sequence[Message], *, framed: bool = True) -> list[int] | None:
        return None  # each server has a form of its own for that, most have none

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Batch]:
        whole = request.whole and self._deployment.whole
        body = self._body(request, whole=whole)
        head = head_of(body) if self._pool.several else None
        prefilled = begun = False
        try:
            # The most that it may come to, until the usage is known.
            tokens = request.prompt.bound + request.max_tokens
            pauses = () if request.has_stand_in else PAUSES
            for attempt in self._pool.attempts(head, tokens, pauses):
                attempt.unseen = request.whole
                async with attempt:
                    if whole:
                        attempt.untimed()
                    with await attempt.begin("POST", "/chat/completions", body) as asked:
                        if whole and not prefilled:
                            # Nothing of it comes before its end: who leaves owes the prompt.
                            prefilled = True
                            yield Batch(time.perf_counter(), [PrefillDelta()])
                        answer = await attempt.answer(asked)
                    with answer:
                        if not prefilled:
                            prefilled = True
                            yield Batch(time.perf_counter(), [PrefillDelta()])
                        async with aclosing(self._read(request, attempt, answer)) as batches:
                            async for batch in batches:
                                begun = True
                                yield batch
                    return
        except CallFailed as error:
            if begun and self._pool.several:
                raise EngineInterrupted(str(error)) from None
            raise _as_engine_error(error) from None

    async def _read(
        self, request: EngineRequest, attempt: Attempt, answer: Response
    ) -> AsyncGenerator[Batch]:
        """What the answer says. Raises `CallFailed`, by which an attempt judges its replica."""
        clock = asyncio.get_running_loop().time
        stream = EventStream(answer, request.max_tokens)
        chunks = Chunks(request, self.served_by, answer.status)
        until = clock() + answer.progress_timeout
        coalescer = Coalescer(self._deployment.gather_ms / 1000)
        while not chunks.ended:
            over = chunks.over
            try:
                events = await attempt.unless_lost(stream.next(until))
            except CallFailed:
                if not chunks.is_whole:
                    raise
                events = []  # Nothing more comes of an answer that is whole.
            began = time.perf_counter()
            deltas = self._deltas(chunks, events, attempt)
            arrived = time.perf_counter()
            answer.pace.spent += arrived - began
            for number, (portion, characters) in enumerate(portions(deltas)):
                if number:
                    await asyncio.sleep(0)
                    await answer.rest()
                answer.pace.spent += characters * A_CHARACTER
                yield Batch(arrived, portion)
            if chunks.failure is not None:
                raise _as_call_failure(chunks.failure)
            # From now on: what a slow client, or our own pace, took is no silence of the
            # server. Comments and empty events are no sign of life.
            if deltas and not chunks.over:
                until = clock() + (MORE_TIMEOUT if chunks.is_whole else answer.progress_timeout)
            elif chunks.over and not over:
                until = clock() + USAGE_TIMEOUT
            if not (chunks.ended or stream.has_more) and coalescer.pays(arrived, len(events)):
                await answer.pause(coalescer.seconds)

    def _deltas(self, chunks: Chunks, events: Sequence[bytes], attempt: Attempt) -> list[Delta]:
        """What the next events say; whether the server answers or refuses is told there."""
        deltas = chunks.deltas(events)
        if isinstance(chunks.failure, Refused):
            attempt.refused(chunks.failure)
        elif deltas:
            attempt.answered()
        for delta in deltas:
            if isinstance(delta, UsageDelta):
                attempt.cost(delta.prompt_tokens + delta.completion_tokens)
        return deltas

    async def aclose(self) -> None:
        await self._vision.aclose()
        await self._pool.aclose()

    def _body(self, request: EngineRequest, *, whole: bool) -> dict[str, Any]:
        deployment, sampling = self._deployment, request.sampling
        drawn = msgspec.structs.asdict(sampling)
        drawn[PENALTY] = deployment.repeat_penalty * (drawn.pop("penalty_score") or 1.0)
        if drawn[PENALTY] == 1.0:
            del drawn[PENALTY]
        body: dict[str, Any] = {"model": deployment.model}
        if not whole:
            body["stream"] = True
        body |= {
            name: value
            for name, value in drawn.items()
            if value is not None and name in deployment.sampling
        }
        if deployment.length_field != "none":
            body[deployment.length_field] = request.max_tokens
        if deployment.stream_options and not whole:
            body["stream_options"] = {"include_usage": True}
        if request.constraint is not None and deployment.structure == "json_schema":
            body["response_format"] = wire_format(request.constraint)
        if request.logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": request.logprobs}
        body |= wire_thinking(request.thinking, deployment.thinking_fields)
        assert isinstance(request.prompt.payload, dict)
        return body | request.prompt.payload | deployment.extra


def _as_call_failure(failure: EngineFailed | Refused) -> CallFailed:
    """What an answer cannot be read for, as a fault of its call."""
    return failure if isinstance(failure, Refused) else Unreadable(str(failure))


def _as_engine_error(error: CallFailed) -> EngineError:
    said, refused = str(error), error if isinstance(error, Refused) else None
    match error.whose:
        case Whose.AWAY:
            return EngineAway(said, error.retry_after if isinstance(error, Away) else RETRY_AFTER)
        case Whose.FULL:
            return EngineBusy(said, refused.advice if refused is not None else None)
        case Whose.OPERATOR:
            return EngineRefused(said)
        case Whose.REQUEST if refused and refused.too_long:
            return PromptTooLong(said)
        case Whose.REQUEST if refused and refused.unsafe:
            return PromptUnsafe(said)
    return EngineFailed(said)
