"""Moderates an answer while it streams: by the lexicon, and by a model a sentence at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from xinghe.safety.folding import MAX_GAP, PLAIN, Folded, context, fold
from xinghe.safety.matcher import Hit, Matcher, View
from xinghe.safety.verdict import Verdict

Ask: TypeAlias = Callable[[str], Awaitable[Verdict | None]]

SHORTEST = 40
"""Characters that a request to the model has at least, unless the answer ends before."""
LONGEST = 240
"""Without the end of a sentence, so many are sent as they are."""
CONTEXT = 120
"""Characters before a sentence that the model reads with it."""
MOST_UNDER_WAY = 4
_ENDS = ("。", "！", "？", "!", "?", "\n", ". ")


class StreamScanner:
    """Feeds text through up to the first finding, however it is cut into chunks.

    What was shown is always the text up to where the first banned phrase begins; its verdict is
    the most severe of those that begin there. Text that cannot begin a phrase passes at once;
    at most one phrase, with what stands between its characters, is held back.
    """

    __slots__ = ("_done", "_matcher", "_open", "_origin", "_raw", "_shields", "_shown", "_verdict")

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._verdict: Verdict | None = None
        # The window: what may still matter. All positions below are in it.
        self._raw = ""
        self._shown = 0
        self._origin = 0  # Before it stands mere context: no phrase begins there any more.
        self._done = [0, 0]  # By view: phrases that end up to here have been taken.
        self._open: list[Hit] = []  # Banned phrases, not yet shielded.
        self._shields: list[Hit] = []

    def feed(self, text: str) -> tuple[str, Verdict | None]:
        """What may be shown now, and the finding that ends the answer, if there is one."""
        if self._verdict or not text:
            return "", self._verdict
        if self._origin == len(self._raw) and self._matcher.is_idle(self._raw + text):
            # Nothing is held and nothing begins: the usual case, made cheap.
            kept = PLAIN[ord(text[-1])].strip() != ""
            self._raw = text[-1] if kept else (self._raw + text)[-MAX_GAP - 1 :]
            self._shown = self._origin = len(self._raw)
            self._done = [self._origin, self._origin]
            return text, None
        self._raw += text
        return self._look(ended=False)

    def flush(self) -> tuple[str, Verdict | None]:
        """What was held back, once the engine has ended, and the finding in it, if any."""
        if self._verdict or self._origin == len(self._raw):
            return "", self._verdict
        return self._look(ended=True)

    def _look(self, ended: bool) -> tuple[str, Verdict | None]:
        size = len(self._raw)
        views = self._matcher.views(self._raw, ended=ended)
        folds = [fold(self._raw, view.alphabet) for view in views]
        begun = shielding = size  # Where the earliest unfinished phrase and shield begin.
        for place, (view, folded) in enumerate(zip(views, folds, strict=True)):
            self._take(place, view, folded, ended)
            if not ended:
                ban, shield = view.begun(folded, self._origin)
                begun = min(begun, size if ban is None else ban)
                shielding = min(shielding, size if shield is None else shield)
        self._open = [hit for hit in self._open if not any(s.shields(hit) for s in self._shields)]
        first = min((hit.start for hit in self._open), default=size)
        # A finding is certain once no shield can cover it and nothing earlier can become one.
        if first < size and first < min(begun, shielding):
            worst = max(hit.phrase.flag for hit in self._open if hit.start == first)
            found = next(h for h in self._open if h.start == first and h.phrase.flag == worst)
            self._verdict = found.verdict
            return self._raw[self._shown : first], self._verdict
        held = min(first, begun)
        visible = self._raw[self._shown : held]
        self._trim(min(held, shielding), held, folds)
        return visible, None

    def _take(self, place: int, view: View, folded: Folded, ended: bool) -> None:
        """Take the phrases that have become certain since the last look."""
        until = folded.starts[-1] if folded.open and not ended else len(self._raw)
        for hit in view.hits(self._raw, folded):
            if hit.start >= self._origin and self._done[place] < hit.end <= until:
                (self._open if hit.phrase.flag else self._shields).append(hit)
        self._done[place] = max(self._done[place], until)

    def _trim(self, origin: int, shown: int, folds: list[Folded]) -> None:
        """Forget what can no longer matter."""
        cut = min(context(folded, origin) for folded in folds)
        self._raw = self._raw[cut:]
        self._origin = origin - cut
        self._shown = shown - cut
        self._done = [max(0, done - cut) for done in self._done]
        self._open = [Hit(hit.start - cut, hit.end - cut, hit.phrase) for hit in self._open]
        self._shields = [
            Hit(hit.start - cut, hit.end - cut, hit.phrase)
            for hit in self._shields
            if hit.end > origin
        ]


class Reviewer:
    """Has a model clear an answer: a sentence is shown once it has.

    The engine goes on meanwhile: up to `MOST_UNDER_WAY` sentences wait for their verdicts, which
    are taken in order. What comes here has passed a `StreamScanner`, and is not looked through
    again. `close` when the answer was given up.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._open = ""
        self._context = ""
        self._waiting: deque[tuple[str, asyncio.Task[Verdict | None]]] = deque()
        self._verdict: Verdict | None = None

    async def feed(self, text: str) -> tuple[str, Verdict | None]:
        """What may be shown now, and the finding that ends the answer, if there is one."""
        if self._verdict:
            return "", self._verdict
        self._open += text
        if len(self._open) >= LONGEST:
            self._send(len(self._open))
        elif (end := _sentences_end(self._open)) >= SHORTEST:
            self._send(end)
        return await self._cleared(MOST_UNDER_WAY)

    async def flush(self) -> tuple[str, Verdict | None]:
        """What was held back, once the engine has ended, and the finding in it, if any."""
        if self._open and not self._verdict:
            self._send(len(self._open))
        return await self._cleared(0)

    def close(self) -> None:
        """Ask no more about what nobody will read."""
        for _, task in self._waiting:
            task.cancel()
        self._waiting.clear()

    def _send(self, size: int) -> None:
        sentence, self._open = self._open[:size], self._open[size:]
        asked = asyncio.ensure_future(self._ask(self._context + sentence))
        self._waiting.append((sentence, asked))
        self._context = (self._context + sentence)[-CONTEXT:]

    async def _cleared(self, most: int) -> tuple[str, Verdict | None]:
        """The sentences cleared, in order; waits while more than `most` are under way."""
        visible = ""
        while self._waiting and (len(self._waiting) > most or self._waiting[0][1].done()):
            sentence, asked = self._waiting[0]
            verdict = await asked
            self._waiting.popleft()
            if verdict:
                self._verdict = verdict
                self.close()
                break
            visible += sentence
        return visible, self._verdict


def _sentences_end(text: str) -> int:
    """Where the last whole sentence ends; 0 without one."""
    return max(text.rfind(end) + len(end) if end in text else 0 for end in _ENDS)
