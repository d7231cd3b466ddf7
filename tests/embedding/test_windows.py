"""Texts in portions and pieces: what an embedder is asked, and what becomes of its vectors."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any, Literal

import pytest

from tests.embedding.kit import running
from tests.embedding.upstream import Upstream, serving, vector
from xinghe.api.embeddings.windows import Windowed, Windows, cut
from xinghe.catalog import UpstreamEmbeddingDeployment
from xinghe.embedding import Began, Embedder, Form, TextTooLong, Vectors


class Counting(Embedder):
    """Reads `window` characters at most; its vectors say how many a and b a text has."""

    served_by = "test"
    dimensions = 2
    resizable = False

    def __init__(self, window: int, *, tells: bool = True, batch: int = 4) -> None:
        self.max_tokens = window if tells else 0
        self.batch = batch
        self.calls: list[list[str]] = []
        self._window = window

    async def vectors(
        self,
        texts: Sequence[str],
        form: Form,
        *,
        max_tokens: int = 0,
        dimensions: int | None = None,
        began: Began | None = None,
    ) -> Vectors:
        assert len(texts) <= self.batch
        limit = min(filter(None, (max_tokens, self.max_tokens)), default=0)
        long = {at: len(text) for at, text in enumerate(texts) if limit and len(text) > limit}
        if long:
            raise TextTooLong(long, limit)
        self.calls.append(list(texts))
        largest = max(range(len(texts)), key=lambda at: len(texts[at]))
        if len(texts[largest]) > self._window:
            raise TextTooLong({largest: len(texts[largest])}, 0)
        if began is not None:
            began()
        return Vectors([array("f", _direction(text)).tobytes() for text in texts])

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[bytes]:
        return (await self.vectors(texts, kind)).data

    async def ready(self) -> bool:
        return True

    async def aclose(self) -> None: ...


def _direction(text: str) -> list[float]:
    a, b = text.count("a"), text.count("b")
    return [a / math.hypot(a, b), b / math.hypot(a, b)]


async def windowed(embedder: Embedder, texts: list[str], **options: Any) -> Windowed:
    windows = Windows("text", options.get("characters", 0), embedder.max_tokens, None)
    told = options.get("told", [])
    return await windows.vectors(embedder, texts, lambda upto: lambda: told.append(upto))


async def test_short_texts_are_sent_as_they_are_in_portions() -> None:
    embedder, told = Counting(10), list[int]()
    made = await windowed(embedder, ["a", "b", "aa", "ab", "bb", "abb"], told=told)
    assert embedder.calls == [["a", "b", "aa", "ab"], ["bb", "abb"]]
    assert told == [4, 6]
    assert made.split == []
    assert made.vectors.floats()[1] == [0.0, 1.0]


@pytest.mark.parametrize("tells", [True, False])
async def test_a_long_text_is_the_mean_of_its_pieces_by_their_length(tells: bool) -> None:
    embedder = Counting(10, tells=tells)
    made = await windowed(embedder, ["ab", "a " * 30 + "b " * 10, "b"])
    assert made.split == [1]
    _, (a, b), _ = made.vectors.floats()
    assert math.hypot(a, b) == pytest.approx(1)
    assert a > b > 0
    assert [len(vectors) for vectors in made.vectors.floats()] == [2, 2, 2]
    read = [piece for call in embedder.calls for piece in call]
    if tells:
        assert "".join(read) == "ab" + "a " * 30 + "b " * 10 + "b"
        assert max(map(len, read)) <= 10
        # As many a as b by weight, were all pieces alike: 3 of 4 are of a.
        assert a / b == pytest.approx(3, rel=0.2)


async def test_characters_bound_a_piece_as_well() -> None:
    embedder = Counting(1000)
    made = await windowed(embedder, ["a" * 45], characters=10)
    assert made.split == [0]
    assert [len(piece) for call in embedder.calls for piece in call] == [9] * 5


async def test_an_unknown_window_is_found_in_few_calls() -> None:
    """A server that counts by itself: what it has refused is not sent to it again."""
    embedder = Counting(50, tells=False, batch=16)
    made = await windowed(embedder, ["ab" * 400] * 100)
    assert made.split == list(range(100))
    refused = [call for call in embedder.calls if max(map(len, call)) > 50]
    assert len(refused) < 30


async def test_what_no_cut_makes_short_enough_is_refused_by_number() -> None:
    embedder = Counting(0, tells=False)
    with pytest.raises(TextTooLong) as refused:
        await windowed(embedder, ["b", "a" * 100])
    assert refused.value.index in (0, 1)
    assert len(embedder.calls) < 100


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 12])
@pytest.mark.parametrize(
    "text", ["ab cd. ef\ngh ij", "一二三。四五六七八九十甲乙丙", "👨‍👩‍👧‍👦x y z a b c d"]
)
def test_a_cut_loses_nothing_and_leaves_nothing_empty(text: str, parts: int) -> None:
    pieces = cut(text, parts)
    assert "".join(pieces) == text
    assert all(pieces)
    assert max(map(len, pieces)) <= -(-len(text) // parts)


def test_a_cut_is_behind_a_blank_where_one_is_near() -> None:
    assert cut("aaaa bbbb cccc dddd", 2) == ["aaaa bbbb ", "cccc dddd"]


async def test_a_server_gets_as_many_texts_a_call_as_it_takes() -> None:
    async with serving() as upstream:
        deployment = UpstreamEmbeddingDeployment(url=upstream.url, model="bge", batch=10)
        async with running(deployment) as embedder:
            texts = [f"第{n}句" for n in range(25)]
            made = await embedder.vectors(texts, "text")
            assert made.floats() == [vector(text) for text in texts]
            assert [len(body["input"]) for body in upstream.bodies] == [10, 10, 5]
            upstream.bodies.clear()
            await windowed(embedder, texts)
            assert [len(body["input"]) for body in upstream.bodies] == [10, 10, 5]
            await _refuses_the_second_call(upstream, embedder, texts)


async def _refuses_the_second_call(
    upstream: Upstream, embedder: Embedder, texts: list[str]
) -> None:
    """Of all texts of a request the number is told, not of those of a call."""
    with pytest.raises(TextTooLong) as refused:
        await embedder.vectors([*texts, "字" * 20], "text", max_tokens=10)
    assert refused.value.index == len(texts)
    upstream.bodies.clear()
