"""`python -m bench.safety`: what the lexicon finds of what nobody foresaw, and what it costs."""

from __future__ import annotations

import time
from pathlib import Path

from tests.safety.lists import sentences

from xinghe.safety.lexicon import lexicon
from xinghe.safety.matcher import Matcher
from xinghe.safety.stream import StreamScanner

TEXT = Path(__file__).parent.parent / "README.md"
CHUNK = 2


def main() -> None:
    matcher = Matcher(lexicon())
    for name in ("unsafe.txt", "unseen.txt", "harmless.txt"):
        lines = [line.split("\t")[-1] for line in sentences(name)]
        found = sum(matcher.check(line) is not None for line in lines)
        print(f"{name}: {found} of {len(lines)} found")
    text = TEXT.read_text("utf-8")
    begun = time.process_time()
    for _ in range(20):
        matcher.check(text)
    size = 20 * len(text.encode()) / 1024
    print(f"a whole text: {(time.process_time() - begun) / size * 1e6:.0f} µs of CPU a KiB")
    chunks = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    scanner = StreamScanner(matcher)
    begun = time.process_time()
    for chunk in chunks:
        scanner.feed(chunk)
    each = (time.process_time() - begun) / len(chunks) * 1e6
    print(f"a stream: {each:.1f} µs of CPU a chunk of {CHUNK} characters")


if __name__ == "__main__":
    main()
