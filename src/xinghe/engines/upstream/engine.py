"""Any OpenAI-compatible server as an engine.

Its faults become ours and its text stays here: an `EngineError` is for the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import aiohttp
import msgspec

from xinghe.catalog.card import UpstreamDeployment
from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    GenerationJob,
    Message,
    PrefillDelta,
    Prompt,
    ToolUse,
)
from xinghe.engines.estimate import bounded_tokens, estimated_tokens
from xinghe.engines.events import EventParser, EventTooLarge
from xinghe.engines.messages import wire_format, wire_messages, wire_tools
from xinghe.engines.protocol import Abilities, Batch, EngineBusy, EngineFailed, EngineUnavailable
from xinghe.engines.upstream.wire import Chunk, error_code, translate
from xinghe.outbound import Server, advised

TOKENS_A_MESSAGE = 8
"""The most that a chat template puts around one message, with what opens the answer."""
TOKENS_FOR_TOOLS = 400
"""The most that a template says about the use of tools."""
USAGE_PATIENCE = 5.0
"""Seconds to wait, after the finish reason, for the usage and `[DONE]`."""

READ_OF_ERROR = 65536
"""Bytes."""

FAULTS = (
    aiohttp.ClientError,
    TimeoutError,
    EventTooLarge,
    msgspec.DecodeError,
)


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
        begun = False
        try:
            async with self._server.session.post(
                f"{self._server.url}/chat/completions",
                data=msgspec.json.encode(self._request(job)),
                headers=self._server.headers(),
            ) as answer:
                if answer.status != 200:
                    await _refuse(answer)
                begun = True
                yield Batch(time.perf_counter(), [PrefillDelta()])
                async for batch in self._read(answer, _offers_tools(job)):
                    yield batch
        except (
            aiohttp.ClientOSError,
            aiohttp.ServerDisconnectedError,
            aiohttp.ConnectionTimeoutError,
        ) as error:
            # Before the answer: nobody listens, or an idle connection was closed just then.
            if begun:
                raise EngineFailed(repr(error)) from error
            raise EngineUnavailable(repr(error)) from error
        except UnicodeDecodeError as error:
            # Its own text would quote the answer.
            raise EngineFailed(f"the stream is not UTF-8: {error.reason}") from error
        except FAULTS as error:
            raise EngineFailed(repr(error)) from error

    async def _read(self, answer: aiohttp.ClientResponse, calls: bool) -> AsyncGenerator[Batch]:
        parser = EventParser()
        finish: FinishReason | None = None
        while read := await _next_read(answer, finish):
            arrived = time.perf_counter()
            deltas: list[Delta] = []
            for data in parser.feed(read):
                if data == b"[DONE]":
                    # The usage comes after the finish reason, so the finish waits for it.
                    deltas.append(FinishDelta(finish or FinishReason.NORMAL))
                    yield Batch(arrived, deltas)
                    return
                finish = translate(self._decode(data), finish, deltas, calls=calls)
            if deltas:
                yield Batch(arrived, deltas)
        if finish is None:
            raise EngineFailed("the stream ended before its finish reason")
        yield Batch(time.perf_counter(), [FinishDelta(finish)])

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


async def _next_read(answer: aiohttp.ClientResponse, finish: FinishReason | None) -> bytes:
    """The next bytes; none at the end, or when nothing more comes of an answer that is whole."""
    if finish is None:
        return await answer.content.readany()
    try:
        async with asyncio.timeout(USAGE_PATIENCE):
            return await answer.content.readany()
    except TimeoutError:
        return b""


def _offers_tools(job: GenerationJob) -> bool:
    return isinstance(job.prompt.payload, dict) and "tools" in job.prompt.payload


async def _refuse(answer: aiohttp.ClientResponse) -> None:
    # Its code at most: some servers repeat the request in what they say.
    message = (
        f"upstream answered {answer.status}{error_code(await answer.content.read(READ_OF_ERROR))}"
    )
    if answer.status in {429, 503}:
        raise EngineBusy(message, advised(answer))
    if answer.status >= 500:
        raise EngineUnavailable(message)
    raise EngineFailed(message)


def _texts(message: Message) -> list[str]:
    """All that a template puts into the prompt for a message."""
    called = [text for call in message.tool_calls for text in (call.id, call.name, call.arguments)]
    return [message.content, message.name or "", message.tool_call_id or "", *called]
