"""What of a generated text may be shown: stop strings first, then moderation."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from xinghe.core import CURRENT_ROUND, FinishDelta, FinishReason
from xinghe.generation.stops import StopScanner
from xinghe.observe import metrics
from xinghe.safety import StreamScanner, Verdict

log = structlog.get_logger(__name__)


class Gate:
    """Text in, visible text out; a `FinishDelta` where the gate itself ends the answer."""

    __slots__ = ("_safety", "_stops", "cuts", "held")

    def __init__(self, stops: Sequence[str], safety: StreamScanner) -> None:
        self.cuts = bool(stops)
        """Whether an answer may end within a text by the client's own wish."""
        self.held = 0
        """Characters that were fed and may not be shown yet."""
        self._stops = StopScanner(stops)
        self._safety = safety

    def feed(self, text: str) -> tuple[str, FinishDelta | None]:
        visible, finish = self._feed(text)
        self.held += len(text) - len(visible)
        return visible, finish

    def _feed(self, text: str) -> tuple[str, FinishDelta | None]:
        text, stopped = self._stops.feed(text)
        visible, verdict = self._safety.feed(text)
        if verdict is not None:
            return visible, _filtered(verdict)
        if stopped:
            rest, finish = self._close(FinishReason.STOP)
            return visible + rest, finish
        return visible, None

    def end(self, reason: FinishReason) -> tuple[str, FinishDelta]:
        """What was held back, now that the engine has ended for that reason."""
        visible, verdict = self._safety.feed(self._stops.flush())
        if verdict is not None:
            return visible, _filtered(verdict)
        rest, finish = self._close(reason)
        return visible + rest, finish

    def _close(self, reason: FinishReason) -> tuple[str, FinishDelta]:
        rest, verdict = self._safety.flush()
        return rest, _filtered(verdict) if verdict else FinishDelta(reason)


def _filtered(verdict: Verdict) -> FinishDelta:
    log.info("unsafe", place="answer", category=verdict.category, flag=verdict.flag)
    metrics.UNSAFE.labels("answer", verdict.category).inc()
    return FinishDelta(FinishReason.CONTENT_FILTER, verdict.flag, CURRENT_ROUND)
