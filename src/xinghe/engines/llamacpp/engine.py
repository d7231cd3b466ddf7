"""The embedded engine as the gateway sees it: an HTTP client of a supervised child."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import TypeVar

import msgspec

from xinghe.catalog import LlamaCppDeployment
from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    GenerationJob,
    Message,
    PrefillDelta,
    Prompt,
    TextDelta,
    ToolUse,
    UsageDelta,
)
from xinghe.engines.llamacpp.eyes import Eyes
from xinghe.engines.llamacpp.slots import Slot, Slots
from xinghe.engines.llamacpp.texts import OPEN, suspicious, with_opening, with_texts
from xinghe.engines.llamacpp.wire import (
    CompletionEvent,
    Counted,
    Rendered,
    Tokenized,
    completion_request,
    with_media,
)
from xinghe.engines.messages import wire_messages
from xinghe.engines.protocol import Abilities, Batch, EngineFailed, EngineUnavailable
from xinghe.outbound import (
    UNREADABLE,
    Answer,
    CallFailed,
    Client,
    EventStream,
    Refused,
    Unreachable,
    decoded,
)
from xinghe.pictures import pictures_in
from xinghe.vocabulary import PROBES, Frame, Specials

T = TypeVar("T")

SILENCE_TIMEOUT = 120.0
"""Seconds; while it reads a prompt, the engine reports after every batch of 128 tokens."""
SILENCE_WITH_EYES = 900.0
"""A picture is encoded and read in one step, during which no stream of the child moves."""
CONNECT_TIMEOUT = 5.0
HEALTH_TIMEOUT = 2.0
MOST_ANSWERED = 64 * 1024 * 1024
"""Bytes of a whole answer: the rendered prompt, or its tokens."""
START_PATIENCE = 15.0
"""Seconds to wait for a child that is being started: the default weights load in about five."""
IDLE_SECONDS = 4.0
"""The child closes an idle connection after 5 s: ours is closed before."""
PIECES_AT_ONCE = 500
ONCE = {"Connection": "close"}
"""The child closes a connection after a stream without saying so; the next request would fail."""


class LlamaCppEngine:
    """Speaks to one child; the supervisor says where it listens, anew after each restart."""

    def __init__(self, served_by: str, deployment: LlamaCppDeployment) -> None:
        self._served_by = served_by
        self._repeat_penalty = deployment.repeat_penalty
        self._eyes = Eyes() if deployment.mmproj else None
        self._abilities = Abilities(
            constraints="grammar",
            tools=False,
            thinks=deployment.thinks,
            eyes=self._eyes is not None,
        )
        self._address: str | None = None
        self._located = asyncio.Event()
        self._key = ""
        self._special: list[str] = []
        self._compiled: asyncio.Future[Specials] | None = None
        self._frame: Frame | None = None
        self._slot_count = max(1, deployment.slots)
        self._slots = Slots(self._slot_count)
        self._client = Client(
            CONNECT_TIMEOUT,
            SILENCE_TIMEOUT if self._eyes is None else SILENCE_WITH_EYES,
            idle=IDLE_SECONDS,
        )
        self._decode_event = msgspec.json.Decoder(CompletionEvent).decode

    @property
    def served_by(self) -> str:
        return self._served_by

    @property
    def abilities(self) -> Abilities:
        return self._abilities

    def locate(self, address: str | None, key: str = "", special: Sequence[str] = ()) -> None:
        """Where the child listens; `None` while there is none.

        `special` are the texts of its model's special tokens.
        """
        if address is not None and list(special) != self._special:
            self._special, self._compiled, self._frame = list(special), None, None
        self._address, self._key = address, key
        self._slots = Slots(self._slot_count)  # of the old child's prompts nothing is left
        if address is None:
            self._located.clear()
        else:
            self._located.set()

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
        self, messages: Sequence[Message], tools: ToolUse | None = None, opening: str = ""
    ) -> Prompt:
        if self._eyes is not None and pictures_in(messages):
            messages = await self._eyes.shown(messages)
        await self._wait_for_child()
        specials = await self._specials()
        pictures = pictures_in(messages)
        # A prompt with pictures cannot be handed over as tokens, so its texts are spelled.
        change = specials.spelled if pictures else specials.marked
        if any(suspicious(message, specials.suspects) for message in messages):
            messages = [with_texts(message, change) for message in messages]
        body = {"messages": wire_messages(_known(messages))}
        rendered = await self._ask("/apply-template", body, Rendered)
        text = rendered.prompt + with_opening(opening, change)
        payload: object
        if pictures:
            length = (await self._ask("/chat/completions/input_tokens", body, Counted)).input_tokens
            if opening:
                ends = await asyncio.gather(self._tokens([text]), self._tokens([rendered.prompt]))
                length += len(ends[0]) - len(ends[1])
            payload = with_media(text, pictures)
        else:
            payload = tokens = await self._tokens(await _gathered(specials.pieces(text)))
            length = len(tokens)
        return Prompt(
            tokens=length,
            bound=length,
            exact=True,
            payload=payload,
            thinks=rendered.prompt.rstrip().endswith(OPEN),  # as of a model that always thinks
        )

    async def generate(self, job: GenerationJob) -> AsyncGenerator[Batch]:
        await self._wait_for_child()
        slots = self._slots
        async with slots.hold(job.account, job.prompt.payload) as slot:
            if slots is not self._slots:
                raise EngineUnavailable("the embedded engine was started anew")
            async with aclosing(self._generate(job, slot)) as batches:
                async for batch in batches:
                    yield batch

    async def _generate(self, job: GenerationJob, slot: Slot) -> AsyncGenerator[Batch]:
        body = completion_request(job, self._repeat_penalty, slot.number, reuse=slot.reused)
        try:
            with await self._post("/completion", body, **ONCE) as answer:
                counted = 0
                yield Batch(time.perf_counter(), [PrefillDelta()])
                stream = EventStream(answer, job.max_tokens + job.prompt.tokens)
                while events := await stream.next():
                    arrived = time.perf_counter()
                    deltas: list[Delta] = []
                    for data in events:
                        event = self._decode_event(data)
                        counted = _translate(event, counted, deltas)
                        slot.begun()
                        if event.stop:
                            slot.ended()
                    if deltas:
                        yield Batch(arrived, deltas)
        except CallFailed as error:
            # What took the request and died may have died of it.
            again = isinstance(error, Unreachable) and not error.connected
            raise (EngineUnavailable if again else EngineFailed)(str(error)) from None
        except UNREADABLE as error:
            raise EngineFailed(f"an event is unreadable ({type(error).__name__})") from None

    async def aclose(self) -> None:
        if self._eyes is not None:
            await self._eyes.aclose()
        await self._client.aclose()

    async def _specials(self) -> Specials:
        if self._compiled is None:
            # In a thread: thousands of them take a second.
            making = asyncio.to_thread(Specials, self._special)
            self._compiled = asyncio.ensure_future(making)
        return await asyncio.shield(self._compiled)

    async def _tokens(self, pieces: Sequence[str]) -> list[int]:
        """The tokens of a prompt; none is made of characters from both sides of a cut."""
        if len(pieces) == 1:
            return await self._tokenize(pieces[0], framed=True)
        if self._frame is None:
            probes = (self._tokenize(text, framed=framed) for text, framed in PROBES)
            self._frame = Frame.of(await asyncio.gather(*probes))
        frame = self._frame
        return frame.tokens(await self._tokenize(frame.content(pieces), framed=False))

    async def _tokenize(self, content: str | list[str | int], *, framed: bool) -> list[int]:
        body = {"content": content, "add_special": framed, "parse_special": True}
        return (await self._ask("/tokenize", body, Tokenized)).tokens

    async def _ask(self, path: str, body: object, kind: type[T]) -> T:
        try:
            with await self._post(path, body) as answer:
                return decoded(await answer.whole(MOST_ANSWERED), kind)
        except Refused as refused:
            raise EngineFailed(f"{path}: {refused}") from None
        except CallFailed as error:
            raise EngineUnavailable(f"{path}: {error}") from None

    async def _post(self, path: str, body: object, **headers: str) -> Answer:
        await self._wait_for_child()
        return await self._client.send(
            "POST",
            f"{self._address}{path}",
            body=msgspec.json.encode(body),
            headers={
                "Authorization": f"Bearer {self._key}",
                "Content-Type": "application/json",
                **headers,
            },
        )

    async def _wait_for_child(self) -> None:
        """Wait for one that is being started; returns at once where there is one."""
        if self._address is None:
            try:
                async with asyncio.timeout(START_PATIENCE):
                    await self._located.wait()
            except TimeoutError:
                raise EngineFailed("the embedded engine is not running") from None
        if self._address is None:
            raise EngineUnavailable("the embedded engine went away again")


async def _gathered(pieces: Iterable[str]) -> list[str]:
    """The pieces of a prompt; who sends very many does not hold up others."""
    gathered = []
    for piece in pieces:
        gathered.append(piece)
        if len(gathered) % PIECES_AT_ONCE == 0:
            await asyncio.sleep(0)
    return gathered


def _known(messages: Sequence[Message]) -> list[Message]:
    """The messages in roles that chat templates know: `function` is what `tool` was called."""
    return [
        msgspec.structs.replace(message, role="tool") if message.role == "function" else message
        for message in messages
    ]


def _translate(event: CompletionEvent, counted: int, deltas: list[Delta]) -> int:
    """Append what an event says to `deltas`; returns the new running count of tokens."""
    if event.error is not None:
        raise EngineFailed("the engine reported an error")
    if event.tokens_predicted > counted or event.content:
        deltas.append(TextDelta(event.content, event.tokens_predicted - counted))
    if event.stop:
        cached = event.timings.cache_n if event.timings else 0
        deltas.append(UsageDelta(event.tokens_evaluated, event.tokens_predicted, cached))
        limit = event.stop_type == "limit"
        deltas.append(FinishDelta(FinishReason.LENGTH if limit else FinishReason.NORMAL))
    return event.tokens_predicted
