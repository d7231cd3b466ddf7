"""`python -m bench.safety`: what the lexicon finds of what nobody foresaw, and what it costs."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from tests.safety.lists import sentences

from xinghe.safety import Moderator
from xinghe.safety.lexicon import combinations, lexicon

TEXT = Path(__file__).parent.parent / "README.md"
CHUNK = 2
SETS = (
    "unsafe.txt",
    "development.txt",
    "heldout.txt",
    "unseen.txt",
    "harmless.txt",
    "nearmiss.txt",
)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    moderator = Moderator()
    for name in SETS:
        lines = [line.split("\t")[-1] for line in sentences(name)]
        found = sum(moderator.check(line) is not None for line in lines)
        told = sum(moderator.check(line, "answer") is not None for line in lines)
        print(f"{name}: {found} of {len(lines)} found as questions, {told} as answers")
    text = TEXT.read_text("utf-8")
    for kind, asked in {"a harmless text": text, "a hostile text": hostile(20_000)}.items():
        print(f"{kind}: {cost(moderator.check, asked):.2f} µs of CPU a character as a question")
        scanner = moderator.scanner()
        chunks = [asked[at : at + CHUNK] for at in range(0, len(asked), CHUNK)]
        held = 0
        begun = time.process_time()
        for chunk in chunks:
            visible, verdict = scanner.feed(chunk)
            held += not visible.endswith(chunk)
            if verdict:
                scanner = moderator.scanner()
        each = (time.process_time() - begun) / len(chunks) * 1e6
        print(f"{kind}: {each:.1f} µs of CPU a chunk of {CHUNK} characters as an answer")
        print(f"{kind}: {100 * held / len(chunks):.1f}% of these chunks are held back")


def cost(check: Callable[[str], object], text: str) -> float:
    """Microseconds of CPU a character."""
    check(text)
    begun = time.process_time()
    for _ in range(5):
        check(text)
    return (time.process_time() - begun) / (5 * len(text)) * 1e6


def hostile(size: int) -> str:
    """Beginnings of phrases and first words of combinations: as much to look into as can be."""
    chance = random.Random(3)
    words = [word for rule in combinations() for word in rule.first]
    text = ""
    while len(text) < size:
        phrase = chance.choice(lexicon())
        row = "".join(chance.choice(phrase.words(at) or ("甲",)) for at in range(len(phrase.slots)))
        text += row[: chance.randrange(1, len(row) + 1)] + chance.choice(words) + "游戏"
    return text


if __name__ == "__main__":
    main()
