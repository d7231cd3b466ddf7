"""Any OpenAI-compatible server as an engine.

Its faults become ours and its text stays here: an `EngineError` is for the log.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from xinghe.catalog import PENALTY, UpstreamDeployment
from xinghe.core import (
    Delta,
    EngineRequest,
    Message,
    PrefillDelta,
    Prompt,
    ToolUse,
    portions,
)
from xinghe.engines.chunks import Chunks
from xinghe.engines.prompts import (
    bounded_tokens,
    estimated_tokens,
    wire_format,
    wire_messages,
    wire_tools,
)
from xinghe.engines.protocol import (
    Abilities,
    Batch,
    EngineBusy,
    EngineError,
    EngineFailed,
    EngineRefused,
    EngineUnavailable,
    PromptTooLong,
    PromptUnsafe,
)
from xinghe.engines.vision import Vision
from xinghe.outbound import A_CHARACTER, CallFailed, EventStream, Refused, Server, Unreachable
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
    """Calls `POST <url>/chat/completions` as a stream, whatever the client asked for."""

    def __init__(self, name: str, deployment: UpstreamDeployment) -> None:
        self.served_by = f"{name}/{deployment.model}"
        self.abilities = Abilities(
            constraints="none" if deployment.structure == "none" else "schema",
            tools=deployment.tools,
            thinks=deployment.thinks or deployment.opens_thought,
            vision=deployment.vision,
        )
        self._deployment = deployment
        self._server = Server.of(name, deployment)
        self.admission = Slots(deployment.slots, queue=deployment.queue)
        self._vision = Vision(decodes=True)

    async def ready(self) -> bool:
        return await self._server.ready()

    async def prepare(
        self, messages: Sequence[Message], tools: ToolUse | None = None, opening: str = ""
    ) -> Prompt:
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
        estimate = estimated_tokens("\n".join(texts))
        bound = sum(map(bounded_tokens, texts))
        return Prompt(
            tokens=min(estimate, bound) + frame,
            bound=bound + frame,
            exact=False,
            payload=payload,
            thinks=self._deployment.opens_thought,
        )

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Batch]:
        clock = asyncio.get_running_loop().time
        try:
            with await self._server.call(
                "POST", "/chat/completions", self._body(request)
            ) as answer:
                yield Batch(time.perf_counter(), [PrefillDelta()])
                stream = EventStream(answer, request.max_tokens)
                chunks = Chunks(request, self.served_by, answer.status)
                until = clock() + answer.progress_timeout
                while not chunks.ended:
                    over = chunks.over
                    try:
                        events = await stream.next(until)
                    except CallFailed:
                        if not chunks.is_whole:
                            raise
                        events = []  # Nothing more comes of an answer that is whole.
                    began = time.perf_counter()
                    deltas = self._deltas(chunks, events)
                    arrived = time.perf_counter()
                    answer.pace.spent += arrived - began
                    for number, (portion, characters) in enumerate(portions(deltas)):
                        if number:
                            await asyncio.sleep(0)
                            await answer.rest()
                        answer.pace.spent += characters * A_CHARACTER
                        yield Batch(arrived, portion)
                    if chunks.failure is not None:
                        raise chunks.failure
                    # From now on: what a slow client, or our own pace, took is no silence of the
                    # server. Comments and empty events are no sign of life.
                    if deltas and not chunks.over:
                        until = clock() + (
                            MORE_TIMEOUT if chunks.is_whole else answer.progress_timeout
                        )
                    elif chunks.over and not over:
                        until = clock() + USAGE_TIMEOUT
        except CallFailed as error:
            raise _as_engine_error(error) from None

    def _deltas(self, chunks: Chunks, events: Sequence[bytes]) -> list[Delta]:
        """What the next events say; whether the server answers or refuses is told there."""
        deltas = chunks.deltas(events)
        if isinstance(chunks.failure, Refused):
            self._server.refused(chunks.failure)
        elif deltas:
            self._server.answered()
        return deltas

    async def aclose(self) -> None:
        await self._vision.aclose()
        await self._server.aclose()

    def _body(self, request: EngineRequest) -> dict[str, Any]:
        deployment, sampling = self._deployment, request.sampling
        drawn = msgspec.structs.asdict(sampling)
        drawn[PENALTY] = deployment.repeat_penalty * (drawn.pop("penalty_score") or 1.0)
        if drawn[PENALTY] == 1.0:
            del drawn[PENALTY]
        body: dict[str, Any] = {"model": deployment.model, "stream": True}
        body |= {
            name: value
            for name, value in drawn.items()
            if value is not None and name in deployment.sampling
        }
        if deployment.length_field != "none":
            body[deployment.length_field] = request.max_tokens
        if deployment.stream_options:
            body["stream_options"] = {"include_usage": True}
        if request.constraint is not None and deployment.structure == "json_schema":
            body["response_format"] = wire_format(request.constraint)
        assert isinstance(request.prompt.payload, dict)
        return body | request.prompt.payload | deployment.extra


def _as_engine_error(error: CallFailed) -> EngineError:
    if isinstance(error, Refused):
        if error.busy:
            return EngineBusy(str(error), error.advice)
        if error.too_long:
            return PromptTooLong(str(error))
        if error.unsafe:
            return PromptUnsafe(str(error))
        if error.for_the_operator:
            return EngineRefused(str(error))
    # 408 is what a server says to a connection that it has kept for too long.
    refused_for_now = isinstance(error, Refused) and (error.status >= 500 or error.status == 408)
    if refused_for_now or isinstance(error, Unreachable):
        return EngineUnavailable(str(error))
    return EngineFailed(str(error))
