"""What a person sees while gigabytes arrive."""

from __future__ import annotations

import contextlib
import io
import os
from itertools import count

import pytest

from xinghe.weights.progress import terminal_progress


def test_without_a_terminal_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count(0.0, 4.0)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    progress = terminal_progress(stream)
    progress.begin("fetching tiny.gguf", 100_000_000)
    for done in range(10_000_000, 60_000_000, 10_000_000):
        progress.at(done)
    progress.end()
    assert stream.getvalue().splitlines() == [
        "fetching tiny.gguf (100.0 MB)",
        "fetching tiny.gguf: 40.0 MB of 100.0 MB (40 %), 2.5 MB/s, 24 s left",
    ]


def read_all(terminal: int) -> str:
    """What was written to a terminal whose other end is closed; one read gives a part of it."""
    parts: list[bytes] = []
    with contextlib.suppress(OSError):  # how Linux says that nothing more comes
        while part := os.read(terminal, 65536):
            parts.append(part)
    return b"".join(parts).decode()


def test_on_a_terminal_a_bar() -> None:
    ours, theirs = os.openpty()  # it has no columns until it is told
    with os.fdopen(theirs, "w") as stream:
        progress = terminal_progress(stream)
        progress.begin("fetching tiny.gguf", 1000)
        progress.at(600)
        progress.note("a note")
        progress.at(1000)
        progress.end()
    shown = read_all(ours)
    os.close(ours)
    assert "fetching tiny.gguf" in shown
    assert "100%" in shown
    assert "a note" in shown
