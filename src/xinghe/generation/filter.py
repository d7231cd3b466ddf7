"""What of a generated text may be shown: stop strings first, then moderation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from xinghe.core import (
    CURRENT_ROUND,
    Delta,
    FinishDelta,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from xinghe.engines import spread
from xinghe.safety import StreamScanner, Verdict, notice
from xinghe.text_run import TextRun

_TEXTS = TextDelta, TextRun
_OTHERS = ReasoningDelta, RefusalDelta, ToolCallDelta
_TEXT = TextDelta("")
"""What stands for all of the answer's text where only the kind counts."""


class OutputFilter:
    """The processor that every answer passes; it may end the answer by itself.

    Stop strings end the answer only, no chain of thought, call or refusal. Each of the four is
    moderated as a text of its own: a new scanner begins where the stream changes over.
    """

    def __init__(self, stops: Sequence[str], scanner: Callable[[], StreamScanner]) -> None:
        self._stops = StopFilter(stops) if stops else None
        self._scanner = scanner
        self._safety = scanner()
        self._last: Spoken | None = None
        """Of what stream the text in the scanner is."""
        self._held = 0
        """Characters of the answer that were fed and may not be shown yet."""

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        at = 0
        while at < len(deltas):
            delta = deltas[at]
            at += 1
            if isinstance(delta, _TEXTS):
                texts = [delta]
                # An upstream may send a hundred tokens in one read, and the scanner costs the
                # same for all of them.
                while at < len(deltas) and self._stops is None:
                    following = deltas[at]
                    if not isinstance(following, _TEXTS):
                        break
                    texts.append(following)
                    at += 1
                finish = self._begin(_TEXT, out) or self._say(texts, out)
            elif isinstance(delta, _OTHERS):
                finish = self._begin(delta, out) or self._scan(delta, out)
            elif isinstance(delta, FinishDelta):
                finish = self._begin(None, out) or delta
            else:
                out.append(delta)
                continue
            if finish is not None:
                out.append(finish)
                return out
        return out

    def _say(self, texts: list[TextDelta | TextRun], out: list[Delta]) -> FinishDelta | None:
        """A piece of the answer, in the engine's own cuts."""
        text = texts[0].text if len(texts) == 1 else "".join(delta.text for delta in texts)
        held = self._held
        passed, stop = (text, "") if self._stops is None else self._stops.feed(text)
        visible, verdict = self._safety.feed(passed)
        if verdict is None and stop:
            rest, verdict = self._safety.flush()
            visible += rest
        self._held += len(text) - len(visible)
        if not held and not self._held and verdict is None:
            out += texts if len(texts) == 1 else [each for each in texts if each.text]
        else:
            out += _divided(visible, held, texts)
        if verdict is not None:
            return filtered(verdict)
        return FinishDelta(FinishReason.STOP, stop=stop) if stop else None

    def _scan(self, delta: Spoken, out: list[Delta]) -> FinishDelta | None:
        """A piece of the thought, of a call or of a refusal."""
        text = text_of(delta)
        visible, verdict = self._safety.feed(text)
        if visible is text:
            out.append(delta)
        elif visible or isinstance(delta, ToolCallDelta):
            out.append(with_text(delta, visible))
        return filtered(verdict) if verdict else None

    def _begin(self, delta: Spoken | None, out: list[Delta]) -> FinishDelta | None:
        """Where a stream begins, or the answer ends, show what was held back of the one before."""
        last, self._last = self._last, delta
        if last is None or (delta is not None and same_stream(last, delta)):
            return None
        text = self._stops.flush() if self._stops and isinstance(last, TextDelta) else ""
        visible, verdict = self._safety.feed(text)
        if verdict is None:
            rest, verdict = self._safety.flush()
            visible += rest
        self._safety, self._held = self._scanner(), 0
        if visible:
            out.append(rest_of(last, visible))
        return filtered(verdict) if verdict else None


def _divided(visible: str, held: int, said: Sequence[TextDelta | TextRun]) -> list[TextDelta]:
    """What may be shown, cut where the engine cut it; the first piece brings what was held."""
    pieces: list[TextDelta] = []
    at = 0
    for delta in (each for each in spread(said) if isinstance(each, TextDelta)):
        end = at + len(delta.text) + (held if not at else 0)
        if visible[at:end]:
            pieces.append(TextDelta(visible[at:end], delta.tokens))
        at = end
    return pieces


def filtered(verdict: Verdict) -> FinishDelta:
    """The end of an answer in which something unsafe was found."""
    notice("answer", verdict)
    return FinishDelta(FinishReason.CONTENT_FILTER, verdict.flag, CURRENT_ROUND)


class StopFilter:
    """Feeds text through; keeps back the tail that may be the beginning of a stop string."""

    __slots__ = ("_held", "_longest", "_stops")

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._longest = max(map(len, self._stops), default=0)
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """What may be shown now, and the stop string that has ended the answer, empty if none."""
        text = self._held + text
        # Where the first to be complete ends, and how early it began: so chunks cannot matter.
        found = min(
            ((at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0),
            default=None,
        )
        if found is not None:
            self._held = ""
            return text[: found[1]], found[2]
        keep = self._overlap(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], ""

    def flush(self) -> str:
        """What was kept back, once the engine has ended by itself."""
        held, self._held = self._held, ""
        return held

    def _overlap(self, text: str) -> int:
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0


Spoken: TypeAlias = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta


def text_of(delta: Spoken) -> str:
    return delta.arguments if isinstance(delta, ToolCallDelta) else delta.text


def with_text(delta: Spoken, text: str) -> Spoken:
    """The same delta with other text."""
    if isinstance(delta, ToolCallDelta):
        return replace(delta, arguments=text)
    return replace(delta, text=text)


def rest_of(last: Spoken, text: str) -> Spoken:
    """The delta that brings what was held back of a stream whose tokens are all counted."""
    if isinstance(last, ToolCallDelta):
        return ToolCallDelta(last.index, arguments=text)
    return type(last)(text, 0)


def same_stream(one: Delta, other: Delta) -> bool:
    """Whether the text of one goes on in the other."""
    if isinstance(one, ToolCallDelta) and isinstance(other, ToolCallDelta):
        return one.index == other.index
    return type(one) is type(other)
