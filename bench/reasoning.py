"""Whether the thought pass helps the built-in model: 200 drawn questions, with it and without.

Arithmetic, comparison and dates, in Chinese; each has one exact answer. Each is asked twice,
greedily, and the two are compared in pairs.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from tests.kit.server import Server

MODEL = "deepseek-r1"
SEED, NUMBER, AT_ONCE = 22, 200, 4
BUDGET, ANSWER = 96, 32
"""Tokens of the thought, and of the answer."""
MINUTES = 24.0
"""After which no more questions are asked; the table says how many were."""
DAYS = "一二三四五六日"
ASKED = "{question}只写答案,不要解释。"


class Question(msgspec.Struct, frozen=True):
    """`answer` is a number or a day of the week."""

    kind: str
    text: str
    answer: str

    def right(self, said: str) -> bool:
        """Whether the last number, or day, that was said is the answer."""
        if self.answer.startswith("星期"):
            days = re.findall(f"(?:星期|周)([{DAYS}天])", said)
            return bool(days) and days[-1].replace("天", "日") == self.answer[2:]
        numbers = re.findall(r"-?\d+(?:\.\d+)?", said.replace(",", "").replace(",", ""))
        return bool(numbers) and float(numbers[-1]) == float(self.answer)


def _sum(draw: random.Random) -> tuple[str, str]:
    a, b, c = draw.randint(100, 999), draw.randint(100, 999), draw.randint(10, 99)
    return f"{a}+{b}-{c}等于多少?", str(a + b - c)


def _product(draw: random.Random) -> tuple[str, str]:
    a, b, c = draw.randint(12, 99), draw.randint(3, 19), draw.randint(10, 99)
    return f"{a}×{b}+{c}等于多少?", str(a * b + c)


def _shop(draw: random.Random) -> tuple[str, str]:
    price, number, paid = draw.randint(3, 19), draw.randint(3, 12), draw.choice([300, 500])
    text = f"一本书{price}元,买{number}本,再买一支{price + 2}元的笔,付{paid}元,应找回多少元?"
    return text, str(paid - price * number - price - 2)


def _larger(draw: random.Random) -> tuple[str, str]:
    whole = draw.randint(1, 20)
    one, other = f"{whole}.{draw.randint(2, 9)}", f"{whole}.{draw.randint(10, 99)}"
    if float(one) == float(other):
        other += "1"
    pair = draw.sample([one, other], 2)
    return f"{pair[0]}和{pair[1]}哪个数更大?", max(pair, key=float)


def _largest(draw: random.Random) -> tuple[str, str]:
    numbers = draw.sample(range(-999, 1000), 5)
    found = sorted(numbers)[-2]
    return f"{'、'.join(map(str, numbers))}这五个数里第二大的是哪个?", str(found)


def _weekday(draw: random.Random) -> tuple[str, str]:
    today, later = draw.randint(0, 6), draw.randint(8, 60)
    text = f"今天是星期{DAYS[today]},再过{later}天是星期几?"
    return text, f"星期{DAYS[(today + later) % 7]}"


def _between(draw: random.Random) -> tuple[str, str]:
    first = date(draw.randint(2021, 2026), 1, 1) + timedelta(days=draw.randint(0, 300))
    last = first + timedelta(days=draw.randint(5, 60))
    text = f"从{first.year}年{first.month}月{first.day}日到{last.month}月{last.day}日相隔多少天?"
    return text, str((last - first).days)


KINDS: dict[str, tuple[Callable[[random.Random], tuple[str, str]], ...]] = {
    "arithmetic": (_sum, _product, _shop),
    "comparison": (_larger, _largest),
    "dates": (_weekday, _between),
}


def drawn(number: int = NUMBER, seed: int = SEED) -> list[Question]:
    """The questions, kinds in turn, none twice."""
    draw = random.Random(seed)
    found: dict[str, Question] = {}
    while len(found) < number:
        kind = [*KINDS][len(found) % len(KINDS)]
        text, answer = draw.choice(KINDS[kind])(draw)
        found[text] = Question(kind, text, answer)
    return list(found.values())


class Asked(msgspec.Struct):
    """A question that was asked both ways, and what the thoughts took."""

    question: Question
    without: bool
    thinking: bool
    tokens: int


async def _ask(session: aiohttp.ClientSession, url: str, question: Question) -> Asked:
    async def said(thinking: dict[str, Any]) -> tuple[str, int]:
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": ASKED.format(question=question.text)}],
            "temperature": 0,
            "max_tokens": ANSWER,
            **thinking,
        }
        async with session.post(url, data=json.dumps(body)) as reply:
            answer = await reply.json()
        used = answer["usage"]["completion_tokens_details"]["reasoning_tokens"]
        return str(answer["choices"][0]["message"]["content"]), int(used)

    plain, _ = await said({"enable_thinking": False})
    thought, tokens = await said({"thinking_budget": BUDGET})
    return Asked(question, question.right(plain), question.right(thought), tokens)


async def run(folder: Path, number: int = NUMBER, minutes: float = MINUTES) -> None:
    """Print the shares of right answers, by kind and in all."""
    asked: list[Asked] = []
    with Server(folder / "data", "--model", "default") as server:
        headers = {
            "Authorization": f"Bearer {server.token()}",
            "Content-Type": "application/json",
        }
        url, waiting = f"{server.url}/v1/chat/completions", iter(drawn(number))

        async def work(session: aiohttp.ClientSession, questions: Iterator[Question]) -> None:
            for question in questions:
                asked.append(await _ask(session, url, question))

        timeout = aiohttp.ClientTimeout(total=900)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            workers = [asyncio.create_task(work(session, waiting)) for _ in range(AT_ONCE)]
            _, late = await asyncio.wait(workers, timeout=60 * minutes)
            for each in late:
                each.cancel()
            for each in workers:
                if each not in late:
                    each.result()
    _print(asked)


def _print(asked: list[Asked]) -> None:
    print(f"\n## The thought pass of the default weights ({BUDGET} tokens), greedy\n")
    print("| questions | asked | right without | right with | gained | lost | points |")
    print("|---|---|---|---|---|---|---|")
    for kind in (*KINDS, "all"):
        of = [each for each in asked if kind in {each.question.kind, "all"}]
        if not of:
            continue
        pairs = Counter((each.without, each.thinking) for each in of)
        plain, thought = (
            sum(getattr(each, name) for each in of) for name in ("without", "thinking")
        )
        points = 100 * (thought - plain) / len(of)
        gained, lost = pairs[False, True], pairs[True, False]
        print(f"| {kind} | {len(of)} | {plain} | {thought} | {gained} | {lost} | {points:+.1f} |")
    mean = sum(each.tokens for each in asked) / max(1, len(asked))
    print(f"\nA thought has {mean:.0f} tokens on average.")
