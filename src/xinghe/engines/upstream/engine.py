"""Any OpenAI-compatible server as an engine.

Its faults become ours and its text stays here: an `EngineError` is for the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

import msgspec
import structlog

from xinghe.catalog.card import UpstreamDeployment
from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    GenerationJob,
    Message,
    PrefillDelta,
    Prompt,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolUse,
)
from xinghe.engines.estimate import bounded_tokens, estimated_tokens
from xinghe.engines.events import EventStream, EventTooLarge
from xinghe.engines.messages import wire_format, wire_messages, wire_tools
from xinghe.engines.protocol import Abilities, Batch, EngineBusy, EngineFailed, EngineUnavailable
from xinghe.engines.upstream.wire import (
    Chunk,
    UnsoundUsage,
    error_code,
    translate,
    usage_of,
)
from xinghe.outbound import UNREADABLE, Answer, CallFailed, Server, Silent, Unreachable

log = structlog.get_logger(__name__)

TOKENS_A_MESSAGE = 8
"""The most that a chat template puts around one message, with what opens the answer."""
TOKENS_FOR_TOOLS = 400
"""The most that a template says about the use of tools."""
TOKENS_BESIDES = 8192
"""The most that an upstream may count beyond our bound: words of its own, and for each picture."""
CHARACTERS_A_TOKEN = 32
"""The most of a call's arguments that one token brings, over the whole of an answer."""
MOST_TEXT = 16_384
"""Characters of one batch: what is to be done with them takes a millisecond or two."""
USAGE_PATIENCE = 5.0
"""Seconds to wait, after the finish reason, for the usage and `[DONE]`."""


class UpstreamEngine:
    """Calls `POST <url>/chat/completions` as a stream, whatever the client asked for."""

    def __init__(self, name: str, deployment: UpstreamDeployment) -> None:
        self._deployment = deployment
        self._served_by = f"{name}/{deployment.model}"
        self._server = Server.of(deployment)
        self._decode = msgspec.json.Decoder(Chunk).decode

    @property
    def served_by(self) -> str:
        return self._served_by

    @property
    def abilities(self) -> Abilities:
        deployment = self._deployment
        return Abilities(
            constraints="none" if deployment.structure == "none" else "schema",
            tools=deployment.tools,
            thinks=deployment.thinks or deployment.opens_thought,
            eyes=deployment.eyes,
        )

    async def ready(self) -> bool:
        return await self._server.ready()

    async def prepare(
        self, messages: Sequence[Message], tools: ToolUse | None = None, opening: str = ""
    ) -> Prompt:
        assert not opening, "an upstream begins its answers by itself"
        payload = {"messages": wire_messages(messages), **(wire_tools(tools) if tools else {})}
        frame = TOKENS_A_MESSAGE * (len(messages) + 1)
        texts = [text for message in messages for text in _texts(message)]
        if tools:
            texts.append(msgspec.json.encode(payload["tools"]).decode())
            frame += TOKENS_A_MESSAGE * len(tools.tools) + TOKENS_FOR_TOOLS
        estimate = sum(map(estimated_tokens, texts))
        bound = sum(map(bounded_tokens, texts))
        return Prompt(
            tokens=min(estimate, bound) + frame,
            bound=bound + frame,
            exact=False,
            payload=payload,
            thinks=self._deployment.opens_thought,
        )

    async def generate(self, job: GenerationJob) -> AsyncGenerator[Batch]:
        try:
            async with self._server.post("/chat/completions", self._request(job)) as answer:
                if answer.status != 200:
                    await _refuse(answer)
                yield Batch(time.perf_counter(), [PrefillDelta()])
                reading = _Reading(answer, job, self._decode, self._served_by)
                while reading.goes_on:
                    deltas = await reading.next()
                    arrived = time.perf_counter()
                    for number, portion in enumerate(_portions(deltas)):
                        if number:
                            await asyncio.sleep(0)
                            await answer.rest()
                        answer.pace.characters(_characters(portion))
                        yield Batch(arrived, portion)
        except Unreachable as error:
            raise EngineUnavailable(str(error)) from None
        except (CallFailed, EventTooLarge) as error:
            raise EngineFailed(str(error)) from None
        except UNREADABLE as error:
            # Its own text would quote the answer.
            raise EngineFailed(f"an event is unreadable ({type(error).__name__})") from None

    async def aclose(self) -> None:
        await self._server.aclose()

    def _request(self, job: GenerationJob) -> dict[str, Any]:
        sampling = job.sampling
        body: dict[str, Any] = {
            "model": self._deployment.model,
            "max_tokens": job.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "frequency_penalty": sampling.frequency_penalty,
            "presence_penalty": sampling.presence_penalty,
            "seed": sampling.seed,
        }
        penalty = self._deployment.repeat_penalty * (sampling.penalty_score or 1.0)
        if penalty != 1.0:
            body["repetition_penalty"] = penalty
        if job.constraint is not None and self._deployment.structure == "json_schema":
            body["response_format"] = wire_format(job.constraint)
        assert isinstance(job.prompt.payload, dict)
        body |= job.prompt.payload
        return {name: value for name, value in body.items() if value is not None}


class _Reading:
    """The deltas of one answer, from its first event to its end."""

    def __init__(
        self,
        answer: Answer,
        job: GenerationJob,
        decode: Callable[[bytes], Chunk],
        served_by: str,
    ) -> None:
        self.goes_on = True
        self._events = EventStream(answer, job.max_tokens)
        self._pace = answer.pace
        self._decode = decode
        self._calls = _offers_tools(job)
        self._most_prompt = _most_prompt(job)
        self._max_tokens = job.max_tokens
        self._arguments = 0
        self._served_by = served_by
        self._sound = True
        self._finish: FinishReason | None = None
        self._clock = asyncio.get_running_loop().time
        self._patience = answer.patience
        self._until = self._clock() + self._patience
        self._lives = False

    async def next(self) -> list[Delta]:
        """What the next events say; the last of the answer is a `FinishDelta`."""
        deltas: list[Delta] = []
        if self._lives:
            # From now on: what a slow client, or our own pace, took is no silence of the server.
            self._until = self._clock() + self._patience
        try:
            events = await self._events.next(self._until)
        except Silent:
            if self._finish is None:
                raise
            events = []  # Nothing more comes of an answer that is whole.
        with self._pace:
            for data in events:
                if data == b"[DONE]":
                    # The usage comes after the finish reason, so the finish waits for it.
                    return self._end(deltas, self._finish or FinishReason.NORMAL)
                self._take(self._decode(data), deltas)
        if not events:
            if self._finish is None:
                raise EngineFailed("the stream ended before its finish reason")
            return self._end(deltas, self._finish)
        # Comments and empty events are no sign of life.
        self._lives = bool(deltas) and self._finish is None
        return deltas

    def _end(self, deltas: list[Delta], finish: FinishReason) -> list[Delta]:
        self.goes_on = False
        deltas.append(FinishDelta(finish))
        return deltas

    def _take(self, chunk: Chunk, deltas: list[Delta]) -> None:
        known, before = self._finish, len(deltas)
        self._finish = translate(chunk, known, deltas, calls=self._calls)
        if self._finish is not None and known is None:
            self._until = self._clock() + USAGE_PATIENCE
        if self._calls:
            said = (each for each in deltas[before:] if isinstance(each, ToolCallDelta))
            self._arguments += sum(len(each.arguments) for each in said)
            if self._arguments > CHARACTERS_A_TOKEN * self._max_tokens + MOST_TEXT:
                raise EngineFailed("the arguments are longer than its tokens can be")
        try:
            usage = usage_of(chunk, self._most_prompt, self._max_tokens)
        except UnsoundUsage as error:
            if self._sound:
                self._sound = False
                log.warning("usage_not_believed", served_by=self._served_by, reason=str(error))
        else:
            deltas.extend([usage] if usage else [])


def _portions(deltas: list[Delta]) -> Iterator[list[Delta]]:
    """The same, cut so that no portion has much more text than `MOST_TEXT`."""
    portion: list[Delta] = []
    size = 0
    for delta in deltas:
        size += _characters([delta])
        portion.append(delta)
        if size > MOST_TEXT:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _characters(deltas: list[Delta]) -> int:
    size = 0
    for delta in deltas:
        if isinstance(delta, TextDelta | ReasoningDelta):
            size += len(delta.text)
        elif isinstance(delta, ToolCallDelta):
            size += len(delta.arguments)
    return size


def _most_prompt(job: GenerationJob) -> int:
    """The most tokens that an upstream can have read."""
    assert isinstance(job.prompt.payload, dict)
    contents = [message["content"] for message in job.prompt.payload["messages"]]
    parts = sum(len(content) for content in contents if isinstance(content, list))
    return job.prompt.bound + TOKENS_BESIDES * (1 + parts)


def _offers_tools(job: GenerationJob) -> bool:
    return isinstance(job.prompt.payload, dict) and "tools" in job.prompt.payload


async def _refuse(answer: Answer) -> None:
    # Its code at most: some servers repeat the request in what they say.
    try:
        code = error_code(await answer.read())
    except CallFailed:
        code = ""
    message = f"upstream answered {answer.status}{code}"
    if answer.status in {429, 503}:
        raise EngineBusy(message, answer.advice)
    if answer.status >= 500:
        raise EngineUnavailable(message)
    raise EngineFailed(message)


def _texts(message: Message) -> list[str]:
    """All that a template puts into the prompt for a message."""
    called = [text for call in message.tool_calls for text in (call.id, call.name, call.arguments)]
    return [message.content, message.name or "", message.tool_call_id or "", *called]
