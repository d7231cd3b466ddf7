"""What an OpenAI-compatible server says, as deltas; nothing of it is believed."""

from collections.abc import Sequence

import msgspec
import structlog

from xinghe.core import (
    Delta,
    EngineRequest,
    FinishDelta,
    FinishReason,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    UsageDelta,
)
from xinghe.engines.calls import MOST_CHARACTERS, Calls, Said, pieces_of
from xinghe.engines.fields import NULL, UNSAFE, Counts, Unsound, finish_of, says_nothing
from xinghe.engines.logprobs import with_logprobs
from xinghe.engines.mending import complains, is_blank, mended
from xinghe.engines.protocol import EngineFailed
from xinghe.engines.runs import Runs
from xinghe.engines.words import NOTHING, Fields, Words, words_of
from xinghe.outbound import UNREADABLE, Refused, Unreadable
from xinghe.text_run import TextRun

log = structlog.get_logger(__name__)

TOKENS_BESIDES = 8192
"""The most that an upstream may count beyond our bound: words of its own, and for each picture."""


class _Choice(msgspec.Struct):
    delta: Fields | None = None
    message: Fields | None = None
    text: msgspec.Raw = NULL
    finish_reason: msgspec.Raw = NULL
    finishReason: msgspec.Raw = NULL  # noqa: N815 (as Gemini's own interface has it)
    usage: msgspec.Raw = NULL
    logprobs: msgspec.Raw = NULL


class _Choices(msgspec.Struct, array_like=True):
    """One is asked for; further ones are skipped, however many there are."""

    first: _Choice | None = None


class _Chunk(msgspec.Struct):
    """One event of the stream, or a whole answer."""

    choices: _Choices | None = None
    usage: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


_chunk = msgspec.json.Decoder(_Chunk | None).decode
_text = msgspec.json.Decoder(str).decode


class Chunks:
    """One answer, from its first event to its end.

    `finish` is the finish reason as far as it is known; `over` says that it was told behind what
    was said and by itself, as an end is, so that only the usage is still to come; `ended` that
    nothing more comes. A reason beside a text may be one that stands on every chunk.
    """

    def __init__(self, request: EngineRequest, served_by: str, status: int = 200) -> None:
        assert isinstance(request.prompt.payload, dict)
        contents = [message["content"] for message in request.prompt.payload["messages"]]
        parts = sum(len(content) for content in contents if isinstance(content, list))
        self.finish: FinishReason | None = None
        self.over = self.ended = False
        self.failure: EngineFailed | Refused | None = None
        most_prompt = request.prompt.bound + TOKENS_BESIDES * (1 + parts)
        self._counts = Counts(most_prompt, request.max_tokens)
        self._calls = Calls(request.max_tokens) if "tools" in request.prompt.payload else None
        """Where none are offered, a call is none."""
        self._logprobs = request.logprobs
        self._served_by = served_by
        self._status = status
        self._told: set[str] = set()
        self._half = b""
        """Of a character that two events share."""
        self._spoken = False
        self._last_is_call = False
        self._by_deltas: set[type[Delta]] = set()
        """What deltas have said, by its kind: a message only says it once more."""
        self._so_far: dict[type[Delta], str] = {}
        """What whole messages have said, where there are no deltas."""
        self._complained = False
        """It has sent something that is no chunk, and may be an error of its own form."""
        self._unread: EngineFailed | None = None
        """Of an event behind a finish reason: where nothing is said behind it, nothing is lost."""
        self._refused = False
        self._goes_on = False
        """It has spoken behind a finish reason, so that such a one is no end."""
        self._runs = Runs() if request.in_runs and request.logprobs is None else None

    def deltas(self, events: Sequence[bytes]) -> list[Delta]:
        """What the next events say; no event is the end of the answer. The last is a `FinishDelta`.

        Where the answer broke off or cannot be read, what came before is said, and then there is
        a `failure`.
        """
        deltas: list[Delta] = []
        groups = ((None, events),) if self._runs is None else self._runs.groups(events)
        for run, some in groups:
            if not (run is not None and self._take_run(run, deltas)):
                self._take_singly(some, deltas)
                if self.failure is not None:
                    return deltas
                if self.ended:
                    break
        self.ended = self.ended or not events
        if not self.ended:
            return deltas
        # Some say [DONE] and no reason, some no more behind a call that is complete; but behind an
        # error, or nothing at all, neither is an end.
        called = self._last_is_call and self._calls is not None and self._calls.ends_complete
        said = self._spoken and not self._complained and (called or bool(events))
        if self.finish is None and not said:
            self.failure = EngineFailed("the stream ended before its finish reason")
            return deltas
        # The usage comes after the finish reason, so the finish waits for it.
        finish = self.finish or FinishReason.NORMAL
        if finish is FinishReason.CONTENT_FILTER:
            deltas.append(UNSAFE)
        else:
            refused = self._refused and finish is FinishReason.NORMAL
            deltas.append(FinishDelta(FinishReason.REFUSAL if refused else finish))
        return deltas

    @property
    def is_whole(self) -> bool:
        """What follows an end destroys nothing."""
        return self.finish is not None and not self._goes_on

    def _take_run(self, run: TextRun, deltas: list[Delta]) -> bool:
        """Append what several events say, unless they are to be read singly.

        It leaves everything as `_translate` of each would.
        """
        if self._complained or self._unread is not None:
            return False
        if run.text:
            if deltas and isinstance(before := deltas[-1], TextRun):
                run = before + run
                deltas.pop()
            deltas.append(run)
            self._by_deltas.add(TextDelta)
            self._half, self._last_is_call = b"", False
            self._spoken, self.over = True, False
            self._goes_on = self._goes_on or self.finish is not None
        return True

    def _take_singly(self, events: Sequence[bytes], deltas: list[Delta]) -> None:
        """Append what events say, up to the end or a failure."""
        for event in map(bytes.strip, events):
            if event[:1] != b"{" and event.strip(b'"').upper() == b"[DONE]":
                self.ended = True
            elif event:
                try:
                    self._translate(event, deltas)
                except (EngineFailed, Refused) as error:
                    self.failure = error
                    return
            if self.ended:
                return

    def _translate(self, event: bytes, deltas: list[Delta]) -> None:
        """Append what one event says to `deltas`."""
        began = len(deltas)
        try:
            try:
                chunk, choice = self._read(event, deltas)
            except (*UNREADABLE, Unreadable):
                event, half = mended(event, self._half)
                chunk, choice = self._read(event, deltas)
                self._half = half or self._half
        except (*UNREADABLE, Unreadable) as error:
            # Its own text would quote the answer.
            self._unread = EngineFailed(f"an event is unreadable ({type(error).__name__})")
            if self.finish is None:
                raise self._unread from None
            return
        if len(deltas) > began:
            if self._unread is not None:
                del deltas[began:]
                raise self._unread
            self._spoken, self.over = True, False
            self._last_is_call = isinstance(deltas[-1], ToolCallDelta)
            self._goes_on = self._goes_on or self.finish is not None
        failed = chunk.error != NULL and not is_blank(chunk.error)
        if failed or self._complained:
            self._judge(event, failed=failed)
        if failed:
            return
        reason = choice.finish_reason if choice.finish_reason != NULL else choice.finishReason
        self._end(reason)
        raw = chunk.usage if chunk.usage != NULL else choice.usage
        if len(deltas) == began and not reason == raw == NULL:
            self.over = self._spoken and self.is_whole
        if raw != NULL and (usage := self._count(raw)):
            deltas.append(usage)

    def _learn(self, event: bytes, said: Fields | None, deltas: list[Delta]) -> None:
        """Have events like this one be read together, whose delta says the last of these."""
        if self._runs is None or said is None or type(deltas[-1]) is not TextDelta:
            return
        if bytes(said.content)[:1] != b'"':
            return
        run = self._runs.learn(event, said.content)
        if run is not None and run.text:
            deltas[-1] = run

    def _judge(self, event: bytes, *, failed: bool) -> None:
        """What an error amounts to, and what may be one where it says so before anything else."""
        if self.is_whole:
            return
        refused = Refused(self._status, event, None)
        if not self._spoken and (failed or refused.is_known):
            raise refused
        if refused.unsafe:
            self.finish, self.ended = FinishReason.CONTENT_FILTER, True
        elif failed:
            raise EngineFailed(f"within its answer, {refused}")

    def _read(self, event: bytes, deltas: list[Delta]) -> tuple[_Chunk, _Choice]:
        """Read one event. What cannot be read, and is to be read once more, changes nothing."""
        chunk = _chunk(event) or _Chunk()
        choice = (chunk.choices and chunk.choices.first) or None
        if choice is None and chunk.usage == NULL:
            self._complained = self._complained or complains(event)
        choice = choice or _Choice()
        began = len(deltas)
        if self._say(choice, deltas):
            self._half = b""
            if (
                self._runs is not None
                and len(deltas) == began + 1
                and _tells_no_more(chunk, choice)
            ):
                self._learn(event, choice.delta, deltas)
        return chunk, choice

    def _say(self, choice: _Choice, deltas: list[Delta]) -> bool:
        """What a choice says, if anything. A message says it whole, or only once more."""
        began = len(deltas)
        by_delta = words_of(choice.delta or NOTHING), self._pieces_of(choice.delta)
        if choice.message is not None:
            by_message = words_of(choice.message), self._pieces_of(choice.message)
        # All of it is decoded: only from here on it changes what is known.
        self._utter(*by_delta, deltas)
        self._by_deltas.update(map(type, deltas[began:]))
        if choice.message is not None:
            self._utter(*by_message, deltas, is_whole=True)
        if not self._by_deltas and len(deltas) == began:
            self._utter(words_of(Fields(content=choice.text)), [], deltas)
        if self._logprobs is not None and choice.logprobs != NULL:
            with_logprobs(deltas, began, choice.logprobs, self._logprobs)
        return len(deltas) > began

    def _utter(
        self, words: Words, pieces: list[Said], deltas: list[Delta], *, is_whole: bool = False
    ) -> None:
        self._refused = self._refused or bool(words[RefusalDelta])
        for kind, text in words.items():
            new = self._new(kind, text) if is_whole else text
            # An event counts for one token, and what it brings is cut where it is long.
            for at in range(0, len(new), MOST_CHARACTERS):
                deltas.append(kind(new[at : at + MOST_CHARACTERS], 0 if at else 1))
        once_more = is_whole and ToolCallDelta in self._by_deltas
        if self._calls is not None and pieces and not once_more:
            deltas += self._calls.deltas(pieces)

    def _pieces_of(self, said: Fields | None) -> list[Said]:
        if said is None or self._calls is None:
            return []
        if not says_nothing(said.tool_calls):
            return pieces_of(said.tool_calls)
        if not says_nothing(said.function_call):
            return pieces_of(msgspec.Raw(b'{"function":' + bytes(said.function_call) + b"}"))
        return []

    def _new(self, kind: type[Delta], words: str) -> str:
        """What a message adds: some say with each what was said so far, some the next piece."""
        if kind in self._by_deltas:
            return ""
        before = self._so_far.get(kind, "")
        new = words.removeprefix(before)
        self._so_far[kind] = before + new
        return new

    def _end(self, raw: msgspec.Raw) -> None:
        if raw == NULL or says_nothing(raw):
            return
        try:
            finish, known = finish_of(_text(raw))
        except (*UNREADABLE, EngineFailed) as error:
            if self.is_whole:
                return
            broken = isinstance(error, EngineFailed)
            raise error if broken else EngineFailed("its finish reason is no text") from None
        if not known:
            self._tell("finish_reason_not_known", "")
        if finish is not None:
            called = finish is FinishReason.FUNCTION_CALL
            self.finish = FinishReason.NORMAL if called and self._calls is None else finish

    def _count(self, raw: msgspec.Raw) -> UsageDelta | None:
        try:
            return self._counts.read(raw, spoken=self._spoken)
        except Unsound as error:
            self._tell("usage_not_believed", str(error))
            return None

    def _tell(self, what: str, reason: str) -> None:
        if what not in self._told:  # said once an answer
            self._told.add(what)
            log.warning(what, served_by=self._served_by, reason=reason)


def _tells_no_more(chunk: _Chunk, choice: _Choice) -> bool:
    """Whether nothing stands beside the delta: no message, no end, no count, no error."""
    ends = choice.finish_reason != NULL or choice.finishReason != NULL
    counts = chunk.usage != NULL or choice.usage != NULL
    return not (ends or counts or choice.message or choice.text != NULL or chunk.error != NULL)
