"""A text that is decoded in pieces means what it means in one, wherever it is cut."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import msgspec
import pytest

from xinghe.api import large_json
from xinghe.api.errors import ApiError
from xinghe.api.large_json import LargeJson

LETTERS = ["a", "\\", '"', "\n", "字", "é", "😀", ",", "/", "\x7f", " ", "\\u", "{", "\\\\"]


def decoded(text: bytes, cuts: list[int], most: int = 100_000) -> Any:
    async def work() -> Any:
        large = LargeJson(most)
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            await large.feed(text[start:end])
        return await large.value()

    return asyncio.run(work())


def anything(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(8 if depth < 4 else 6)
    if kind < 4:
        return "".join(chance.choices(LETTERS, k=chance.choice([0, 1, 5, 40, 400])))
    if kind < 6:
        return chance.choice([1, -2.5, None, True, [], {}, 10**20])
    size = chance.randrange(6)
    if kind == 6:
        return [anything(chance, depth + 1) for _ in range(size)]
    return {str(anything(chance, 4))[:300]: anything(chance, depth + 1) for _ in range(size)}


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(("block", "part", "quotes"), [(64, 128, 4), (7, 20, 1024), (4096, 64, 2)])
def test_the_same_value(
    monkeypatch: pytest.MonkeyPatch, seed: int, block: int, part: int, quotes: int
) -> None:
    for name, size in {"BLOCK": block, "PART": part, "MANY_QUOTES": quotes, "CUT": 16}.items():
        monkeypatch.setattr(large_json, name, size)
    chance = random.Random(seed)
    value = [anything(chance) for _ in range(6)]
    indent = chance.choice([None, 2])
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5, indent=indent).encode()
    cuts = sorted(chance.choices(range(len(text) + 1), k=5))
    assert decoded(text, cuts) == value == msgspec.json.decode(text)


@pytest.mark.parametrize(
    "unit", ["\\\\", "\\ud83d\\ude00", "\\u0041", "\\n", "字", "😀", "a", '\\"']
)
@pytest.mark.parametrize("shift", range(13))
def test_long_strings_of_one_kind(monkeypatch: pytest.MonkeyPatch, unit: str, shift: int) -> None:
    monkeypatch.setattr(large_json, "BLOCK", 64)
    monkeypatch.setattr(large_json, "PART", 256)
    text = ('["' + "x" * shift + unit * 500 + '"]').encode()
    assert decoded(text, []) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b'["a',
        b'["a\\',
        b'["' + b"a" * 5000 + b"\xff" * 5 + b'"]',
        b'["' + b"a" * 5000 + b'\n"]',
        b'["' + b"a" * 5000 + b'\\x"]',
        b'["' + b"a" * 5000 + b'\\ud83d"]',
        b'""""""""""""',
        b'["a" "b"]',
        b"[1 2]",
        b"",
    ],
)
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(ApiError, match="Invalid JSON"):
        decoded(text, [])


def test_marks_in_strings_are_none() -> None:
    text = json.dumps({"a,{[:": ",:{[" * 1000, 'b\\"': ['\\",', ",\\\\"]}).encode()
    assert decoded(text, [], most=6) == json.loads(text)
    with pytest.raises(ApiError, match=r"6 values or more .* up to 5"):
        decoded(text, [], most=5)


def test_several_at_once_in_one_loop_after_the_other() -> None:
    async def one() -> Any:
        large = LargeJson(100)
        await large.feed(b'{"a": 1}')
        return await large.value()

    async def several() -> list[Any]:
        return await asyncio.gather(*(one() for _ in range(4)))

    for _ in range(2):
        assert asyncio.run(several()) == [{"a": 1}] * 4
