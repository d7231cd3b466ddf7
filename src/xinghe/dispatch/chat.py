"""Brings a pass to the engine of its deployment: queue, faults, cancellation."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing

import structlog
from msgspec.structs import replace

from xinghe.catalog import AnyDeployment, LlamaCppDeployment
from xinghe.core import Busy, EngineRequest, Message, Prompt, Thinking, ToolUse
from xinghe.engines import (
    NOTHING_SAID,
    Batch,
    Engine,
    EngineAway,
    EngineBusy,
    EngineFailed,
    EngineInterrupted,
    EngineRefused,
    PromptTooLong,
)
from xinghe.workers import QueueFull

log = structlog.get_logger(__name__)


class DispatchFailed(Exception):
    """No engine could serve, after retries."""


class Interrupted(DispatchFailed):
    """The engine broke off in the middle; another replica of the deployment could do it anew."""


class Away(DispatchFailed):
    """No engine could be reached, or is to be tried now; `retry_after` is in seconds."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(name)
        self.retry_after = retry_after


class Preempted(Busy):
    """A preemptible request finds no free slot."""


class TooLong(Exception):
    """The engine counts more tokens than it takes; `tokens` is what was estimated here.

    `context` is what the operator says that it holds, 0 where nothing is said.
    """

    def __init__(self, tokens: int, context: int) -> None:
        super().__init__(f"about {tokens} tokens are too many")
        self.tokens = tokens
        self.context = context


class ChatDeployment:
    """One deployment at work: its engine, and what its faults mean to whoever asks."""

    def __init__(self, name: str, spec: AnyDeployment, engine: Engine) -> None:
        self.name = name
        self.spec = spec
        self.engine = engine

    async def ready(self) -> bool:
        """Whether a request sent now would be answered."""
        return await self.engine.ready()

    async def aclose(self) -> None:
        await self.engine.aclose()

    async def prepare(
        self,
        messages: Sequence[Message],
        tools: ToolUse | None = None,
        opening: str = "",
        *,
        asked: Thinking = NOTHING_SAID,
    ) -> Prompt:
        """Render and count a conversation. Raises `DispatchFailed`."""
        try:
            return await self.engine.prepare(messages, tools, opening, asked=asked)
        except EngineAway as error:
            raise self._away(error) from error
        except EngineFailed as error:
            raise self._failed(error) from error

    async def tokens(self, asked: str | Sequence[Message], *, framed: bool) -> list[int] | None:
        """As `Engine.tokens`. Raises `DispatchFailed`."""
        try:
            return await self.engine.tokens(asked, framed=framed)
        except EngineAway as error:
            raise self._away(error) from error
        except EngineFailed as error:
            raise self._failed(error) from error

    async def run(self, request: EngineRequest) -> AsyncGenerator[Batch]:
        """Run one pass once the engine has room for it.

        Raises `Busy`, `Preempted`, `TooLong`, `DispatchFailed`. Closing the generator
        cancels the work.
        """
        request = self._cut_to_fit(request)
        admission, prompt = self.engine.admission, request.prompt
        tokens = prompt.bound + prompt.ours + request.max_tokens
        if request.preemptible and not admission.has_room(tokens):
            raise Preempted("no slot is free", admission.expected_wait)
        try:
            async with AsyncExitStack() as held:
                try:
                    await held.enter_async_context(
                        admission.hold(tokens, priority=request.priority)
                    )
                except QueueFull as error:
                    raise Busy(str(error), admission.retry_after) from error
                async with aclosing(self.engine.generate(request)) as batches:
                    async for batch in batches:
                        yield batch
        except EngineAway as error:
            raise self._away(error) from error
        except EngineBusy as error:
            log.warning("engine_busy", deployment=self.name, error=str(error))
            raise Busy(str(error), error.retry_after or admission.expected_wait) from error
        except EngineRefused as error:
            raise DispatchFailed(self.name) from error
        except EngineInterrupted as error:
            log.warning("engine_interrupted", deployment=self.name, error=str(error))
            raise Interrupted(self.name) from error
        except PromptTooLong as error:
            log.info("prompt_too_long", deployment=self.name, error=str(error))
            raise TooLong(request.prompt.tokens, self.spec.context) from error
        except EngineFailed as error:
            raise self._failed(error) from error

    def _cut_to_fit(self, request: EngineRequest) -> EngineRequest:
        """With an answer that the context has room for. Raises `TooLong` where it has none.

        What is read out of a picture may be longer than the picture counts.
        """
        if not isinstance(self.spec, LlamaCppDeployment):
            return request
        prompt = request.prompt
        room = self.spec.context - prompt.bound - prompt.ours
        if room < 1:
            raise TooLong(prompt.tokens, self.spec.context)
        return replace(request, max_tokens=min(request.max_tokens, room))

    def _away(self, error: EngineAway) -> Away:
        log.warning("engine_away", deployment=self.name, error=str(error))
        return Away(self.name, error.retry_after)

    def _failed(self, error: EngineFailed) -> DispatchFailed:
        log.error("engine_failed", deployment=self.name, error=str(error))
        return DispatchFailed(self.name)
