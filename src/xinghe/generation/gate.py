"""What of a generated text may be shown: stop strings first, then moderation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xinghe.core import (
    CURRENT_ROUND,
    Delta,
    FinishDelta,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from xinghe.generation.stops import StopScanner
from xinghe.generation.streams import Spoken, rest_of, same_stream, text_of, with_text
from xinghe.safety import StreamScanner, Verdict, notice


class Gate:
    """The stage that every answer passes; it may end the answer by itself.

    Stop strings end the answer only, never the chain of thought or a call. Each of the three is
    moderated as a text of its own: a new scanner begins where the stream changes over.
    """

    def __init__(self, stops: Sequence[str], scanner: Callable[[], StreamScanner]) -> None:
        self._cuts = bool(stops)
        self._stops = StopScanner(stops)
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
            if type(delta) is TextDelta:
                texts = [delta]
                # An upstream may send a hundred tokens in one read, and the scanner costs the
                # same for all of them.
                while at < len(deltas) and not self._cuts:
                    following = deltas[at]
                    if type(following) is not TextDelta:
                        break
                    texts.append(following)
                    at += 1
                finish = self._change_over(delta, out) or self._say(texts, out)
            elif isinstance(delta, ReasoningDelta | ToolCallDelta):
                finish = self._change_over(delta, out) or self._scan(delta, out)
            elif isinstance(delta, FinishDelta):
                finish = self._end(delta, out)
            else:
                out.append(delta)
                continue
            if finish is not None:
                out.append(finish)
                return out
        return out

    def _say(self, texts: list[TextDelta], out: list[Delta]) -> FinishDelta | None:
        """A piece of the answer, in the engine's own cuts."""
        text = texts[0].text if len(texts) == 1 else "".join(delta.text for delta in texts)
        held = self._held
        passed, stopped = self._stops.feed(text)
        visible, verdict = self._safety.feed(passed)
        if verdict is None and stopped:
            rest, verdict = self._safety.flush()
            visible += rest
        self._held += len(text) - len(visible)
        if len(texts) == 1 and visible is text:
            out.append(texts[0])
        else:
            out.extend(_divided(visible, held, texts))
        if verdict is not None:
            return filtered(verdict)
        return FinishDelta(FinishReason.STOP) if stopped else None

    def _scan(self, delta: ReasoningDelta | ToolCallDelta, out: list[Delta]) -> FinishDelta | None:
        """A piece of the thought or of a call."""
        text = text_of(delta)
        visible, verdict = self._safety.feed(text)
        if visible is text:
            out.append(delta)
        elif visible or isinstance(delta, ToolCallDelta):
            out.append(with_text(delta, visible))
        return filtered(verdict) if verdict else None

    def _change_over(self, delta: Spoken, out: list[Delta]) -> FinishDelta | None:
        """Show what was held back of the stream that ends here."""
        last, self._last = self._last, delta
        if last is None or same_stream(last, delta):
            return None
        return self._flush(last, out)

    def _flush(self, last: Spoken, out: list[Delta]) -> FinishDelta | None:
        text = self._stops.flush() if isinstance(last, TextDelta) else ""
        visible, verdict = self._safety.feed(text)
        if verdict is None:
            rest, verdict = self._safety.flush()
            visible += rest
        self._safety, self._held = self._scanner(), 0
        if visible:
            out.append(rest_of(last, visible))
        return filtered(verdict) if verdict else None

    def _end(self, finish: FinishDelta, out: list[Delta]) -> FinishDelta:
        unsafe = self._flush(self._last, out) if self._last is not None else None
        return unsafe or finish


def _divided(visible: str, held: int, texts: list[TextDelta]) -> list[TextDelta]:
    """What may be shown, cut where the engine cut it; the first piece brings what was held."""
    pieces: list[TextDelta] = []
    at = 0
    for delta in texts:
        end = at + len(delta.text) + (held if not at else 0)
        if visible[at:end]:
            pieces.append(TextDelta(visible[at:end], delta.tokens))
        at = end
    return pieces


def filtered(verdict: Verdict) -> FinishDelta:
    """The end of an answer in which something unsafe was found."""
    notice("answer", verdict)
    return FinishDelta(FinishReason.CONTENT_FILTER, verdict.flag, CURRENT_ROUND)
