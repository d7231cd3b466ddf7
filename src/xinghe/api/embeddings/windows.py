"""Texts of any number and length at `/v1`: in calls and pieces as an embedder takes them.

Each call waits in turn with those of other accounts, so many texts keep nobody waiting for long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from xinghe.embedding import Began, Embedder, Form, TextTooLong, Vectors
from xinghe.engines.prompts import estimated_tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLACK = 1.05
"""Texts are not equally dense: pieces are a little shorter than the window."""
CLOSER = 0.9
"""How near a server's unknown window is taken to be to what it has refused."""
BREAKS = " \n\t。！？；，、.!?;,"
"""A piece ends behind one of these, if there is one in its last quarter."""


class Windowed(msgspec.Struct, frozen=True):
    """One vector a text, and the numbers of the texts that were read in several pieces."""

    vectors: Vectors
    split: list[int]


class Windows(msgspec.Struct, frozen=True):
    """How texts are given to an embedder: in which form, and how long a piece may be (0: as is)."""

    form: Form
    characters: int
    tokens: int
    dimensions: int | None

    async def vectors(
        self, embedder: Embedder, texts: Sequence[str], began: Callable[[int], Began]
    ) -> Windowed:
        """The vector of a text in pieces is their mean by length, of length 1.

        `began` gives what to call when work on the first so many texts begins. Raises
        `TextTooLong` of a text that no cut makes short enough, and `EmbedderError`.
        """
        waiting = deque(
            (at, piece)
            for at, text in enumerate(texts)
            for piece in cut(text, -(-len(text) // (self.characters or len(text))))
        )
        done: list[bytes] = []
        split: list[int] = []
        parts: list[tuple[bytes, int]] = []
        tokens = self.tokens
        while waiting:
            call = list(islice(waiting, embedder.batch))
            pieces = [piece for _, piece in call]
            last = call[-1][0]
            try:
                made = await embedder.vectors(
                    pieces,
                    self.form,
                    max_tokens=tokens,
                    dimensions=self.dimensions,
                    began=began(last + 1),
                )
            except TextTooLong as error:
                tokens = error.limit or max(1, int(error.tokens * CLOSER))
                for _ in call:
                    waiting.popleft()
                waiting.extendleft(reversed(_shorter(call, error, tokens)))
                continue
            for (at, piece), vector in zip(call, made.data, strict=True):
                waiting.popleft()
                parts.append((vector, max(1, estimated_tokens(piece))))
                if waiting and waiting[0][0] == at:
                    continue
                if len(parts) > 1:
                    split.append(at)
                    done.append(await asyncio.to_thread(mean, parts))
                else:
                    done.append(parts[0][0])
                parts = []
        return Windowed(Vectors(done), split)


def _shorter(
    call: Sequence[tuple[int, str]], error: TextTooLong, limit: int
) -> list[tuple[int, str]]:
    """The same pieces, those that were too long in several of at most about `limit` tokens."""
    pieces: list[tuple[int, str]] = []
    for index, (at, piece) in enumerate(call):
        tokens = error.found.get(index)
        if tokens is None:
            pieces.append((at, piece))
            continue
        if len(piece) < 2:
            raise TextTooLong({at: tokens}, error.limit)
        parts = min(len(piece), max(2, int(tokens * SLACK / limit) + 1))
        pieces += [(at, each) for each in cut(piece, parts)]
    return pieces


def cut(text: str, parts: int) -> list[str]:
    """A text in parts that are no longer than that many would be, none of them empty."""
    if parts < 2:
        return [text]
    size = -(-len(text) // parts)
    pieces: list[str] = []
    start = 0
    while len(text) - start > size:
        tail = text[start + size - size // 4 : start + size]
        blank = max(map(tail.rfind, BREAKS), default=-1)
        end = start + size - (len(tail) - blank - 1 if blank >= 0 else 0)
        pieces.append(text[start:end])
        start = end
    return [*pieces, text[start:]]


def mean(parts: Sequence[tuple[bytes, int]]) -> bytes:
    """Of several vectors, each with its weight; of length 1. The first call takes 0.1 s."""
    import numpy as np  # noqa: PLC0415 - few texts are longer than a window

    rows: NDArray[np.float32] = np.stack([np.frombuffer(each, "<f4") for each, _ in parts])
    whole = np.average(rows.astype(np.float64), axis=0, weights=[weight for _, weight in parts])
    length = float(np.linalg.norm(whole))
    return (whole / length if length else whole).astype("<f4").tobytes()
