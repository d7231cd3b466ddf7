"""Moderates an answer while it streams, by a model, a sentence at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

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
