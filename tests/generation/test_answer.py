"""One answer over a real upstream engine: its length, its stop strings, and what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from tests.engines.tape import RESET, STREAM_HEAD, Step, chunk, event, playing
from tests.generation.made import make, services
from xinghe.catalog import UpstreamDeployment
from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    Message,
    ReasoningDelta,
    Sampling,
    TextDelta,
    Usage,
)
from xinghe.dispatch import ChatDeployment, DispatchFailed
from xinghe.engines import Batch, spread
from xinghe.engines.upstream import UpstreamEngine
from xinghe.generation.planning import GenerationRequest
from xinghe.safety import Moderator

NO_LISTS = Moderator(builtin=False)
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
HELLO = (Message("user", "你好"),)
ESTIMATE = 2 + 16


class Answered:
    """What came of one answer."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.deltas: list[Delta] = []

    async def run(
        self,
        steps: Sequence[Step],
        stops: Sequence[str] = (),
        limit: int = 16,
        take: int = 1000,
        lists: Moderator = NO_LISTS,
    ) -> None:
        """Play `steps` at the engine; the reader leaves after `take` batches."""
        async with playing(steps) as tape:
            spec = UpstreamDeployment(url=tape.url, model="m")
            engine = UpstreamEngine("up", spec)
            deployment = ChatDeployment("up", spec, engine)
            request = GenerationRequest(
                "as-0123456789", deployment, HELLO, Sampling(), limit, stops=tuple(stops)
            )
            using = services(lists)

            def emit(batch: Batch) -> None:
                nonlocal take
                self.deltas += spread(batch.deltas)
                take -= 1
                if not take:
                    made.cancel()

            made = asyncio.ensure_future(make(using, request, self.usage, emit))
            try:
                await asyncio.wait({made})
                if take:
                    made.result()
                else:
                    assert made.cancelled()
            finally:
                await deployment.engine.aclose()
            async with engine.admission.hold():
                assert engine.admission.waiting == 0

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas if isinstance(delta, TextDelta))

    @property
    def reason(self) -> FinishReason | None:
        found = [delta.reason for delta in self.deltas if isinstance(delta, FinishDelta)]
        assert not found or self.deltas[-1:] == [
            delta for delta in self.deltas if isinstance(delta, FinishDelta)
        ]
        return found[0] if found else None

    @property
    def counts(self) -> tuple[int, int, int]:
        usage = self.usage
        return usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens


@pytest.fixture
def answered() -> Answered:
    return Answered()


async def test_its_own_end(answered: Answered) -> None:
    used = USAGE | {"prompt_tokens_details": {"cached_tokens": 4}}
    await answered.run([STREAM_HEAD, *map(chunk, "一二三"), chunk(None, "stop", used), DONE])
    assert (answered.text, answered.reason) == ("一二三", FinishReason.NORMAL)
    assert answered.counts == (7, 3, 4)
    assert answered.usage.finished


async def test_its_own_end_without_usage(answered: Answered) -> None:
    await answered.run([STREAM_HEAD, *map(chunk, "一二三"), chunk(None, "stop"), DONE])
    assert answered.counts == (ESTIMATE, 3, 0)
    assert answered.usage.finished


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("cut", ["an event a read", "all in one read"])
async def test_upstream_that_does_not_listen_to_the_limit(
    answered: Answered, limit: int, cut: str
) -> None:
    pieces = [chunk(str(i)) for i in range(10)]
    reads = pieces if cut == "an event a read" else [b"".join(pieces)]
    await answered.run([STREAM_HEAD, *reads, chunk(None, "stop", USAGE), DONE], limit=limit)
    assert answered.text == "0123456789"[:limit]
    assert answered.reason is FinishReason.LENGTH
    assert answered.counts == (ESTIMATE, limit, 0)
    assert answered.usage.finished


async def test_answer_of_exactly_the_limit_is_no_cut(answered: Answered) -> None:
    await answered.run([STREAM_HEAD, *map(chunk, "一二三"), chunk(None, "stop"), DONE], limit=3)
    assert (answered.text, answered.reason) == ("一二三", FinishReason.NORMAL)


async def test_stop_string_that_would_come_after_the_limit(answered: Answered) -> None:
    steps = [STREAM_HEAD, *map(chunk, "一二三四"), chunk(None, "stop"), DONE]
    await answered.run(steps, stops=["二三"], limit=2)
    assert (answered.text, answered.reason) == ("一二", FinishReason.LENGTH)


async def test_stop_string_over_several_pieces(answered: Answered) -> None:
    steps = [STREAM_HEAD, *map(chunk, "一二三四五"), chunk(None, "stop", USAGE), DONE]
    await answered.run(steps, stops=["三四"])
    assert (answered.text, answered.reason) == ("一二", FinishReason.STOP)
    # Counted is what was generated, not what was shown.
    assert answered.counts == (ESTIMATE, 4, 0)
    assert answered.usage.finished


async def test_beginning_of_a_stop_string_is_shown_at_the_end(answered: Answered) -> None:
    await answered.run([STREAM_HEAD, *map(chunk, "一二"), chunk(None, "length")], stops=["二三"])
    assert (answered.text, answered.reason) == ("一二", FinishReason.LENGTH)


async def test_usage_that_counts_along(answered: Answered) -> None:
    """vLLM's `continuous_usage_stats`: each chunk carries the running total."""
    events = [chunk(c, None, USAGE | {"completion_tokens": i}) for i, c in enumerate("一二三", 1)]
    await answered.run([STREAM_HEAD, *events, chunk(None, "stop", USAGE), DONE])
    assert answered.counts == (7, 3, 0)


async def test_broken_off(answered: Answered) -> None:
    with pytest.raises(DispatchFailed):
        await answered.run([STREAM_HEAD, *map(chunk, "一二"), 0.1, RESET])
    assert answered.text == "一二"
    assert answered.usage.started
    assert not answered.usage.finished


async def test_error_event_at_the_start(answered: Answered) -> None:
    with pytest.raises(DispatchFailed):
        await answered.run([STREAM_HEAD, event({"error": "x"})])
    assert not answered.usage.finished


async def test_reader_that_leaves(answered: Answered) -> None:
    steps: list[Step] = [STREAM_HEAD]
    for character in "一二三":
        steps += [0.05, chunk(character)]
    await answered.run([*steps, 5.0, chunk("四")], take=3)
    assert answered.text == "一二三"
    assert answered.counts == (ESTIMATE, 3, 0)
    assert answered.usage.started
    assert not answered.usage.finished


async def test_pieces_of_one_read_stay_pieces() -> None:
    """Moderation holds the tail of a read back; the pieces before it are shown as they came."""
    answered = Answered()
    text = b"".join(chunk(piece) for piece in ("一", "二", "甲"))
    lists = Moderator({"own.txt": "甲乙丙".encode()}, builtin=False)
    await answered.run([STREAM_HEAD, text + chunk(finish="stop"), DONE], lists=lists)
    shown = [delta.text for delta in answered.deltas if isinstance(delta, TextDelta)]
    assert shown == ["一", "二", "甲"]


async def test_a_preemptible_answer_that_has_begun_queues() -> None:
    """It yields before its first pass only: afterwards its thoughts have been shown."""
    passes: list[list[Step]] = [
        [STREAM_HEAD, chunk(text), 0.1, chunk(None, "stop"), DONE] for text in ("想", "答")
    ]
    async with playing(*passes) as tape:
        spec = UpstreamDeployment(url=tape.url, model="m", slots=1, thinks=False)
        engine = UpstreamEngine("up", spec)
        deployment = ChatDeployment("up", spec, engine)
        request = GenerationRequest(
            "as-0123456789", deployment, HELLO, Sampling(), 16, thinking=8, preemptible=True
        )

        async def other() -> None:
            assert not engine.admission.has_room()
            async with engine.admission.hold():
                await asyncio.sleep(0.1)

        shown: list[Delta] = []
        busy: asyncio.Task[None] | None = None

        def emit(batch: Batch) -> None:
            nonlocal busy
            shown.extend(spread(batch.deltas))
            if busy is None:
                busy = asyncio.create_task(other())

        try:
            await make(services(NO_LISTS), request, Usage(), emit)
        finally:
            await deployment.engine.aclose()
        assert busy is not None
        assert busy.done()
        assert shown == [
            ReasoningDelta("想"), TextDelta("答"), FinishDelta(FinishReason.NORMAL)
        ]  # fmt: skip


async def test_calls_of_functions_that_were_not_offered(answered: Answered) -> None:
    """They are none, and the answer ends as if they were not there."""
    function = {"name": "f", "arguments": "{}"}
    calls = [{"index": 0, "id": "c", "type": "function", "function": function}]
    called = event({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]})
    await answered.run([STREAM_HEAD, chunk("一"), called, chunk(None, "tool_calls"), DONE])
    assert answered.deltas == [TextDelta("一"), FinishDelta(FinishReason.NORMAL)]


@pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource"])
async def test_answer_that_the_upstream_broke_off(answered: Answered, reason: str) -> None:
    with pytest.raises(DispatchFailed):
        await answered.run([STREAM_HEAD, chunk("一"), chunk(None, reason, USAGE), DONE])
    assert not answered.usage.finished


async def test_reason_that_nobody_knows_is_an_end(answered: Answered) -> None:
    await answered.run([STREAM_HEAD, chunk("一"), chunk(None, "eos"), DONE])
    assert answered.reason is FinishReason.NORMAL


async def test_broken_characters_bring_no_text_into_the_log(answered: Answered) -> None:
    broken = chunk("QUITE-PRIVATE@").replace(b"@", b"\xff")
    with capture_logs() as logs, pytest.raises(DispatchFailed):
        await answered.run([STREAM_HEAD, broken])
    assert "unreadable" in repr(logs)
    assert "QUITE-PRIVATE" not in repr(logs)
