"""How far a download has come: a bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn, Protocol, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

NARROW = 80
"""Columns of a terminal that does not tell."""
LINE_INTERVAL = 10.0
"""Seconds between two lines where there is no terminal."""


def human(size: int) -> str:
    """`1117320768` as `1.1 GB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


class Progress(Protocol):
    """Told in bytes; `begin` and `end` frame each stage, `note` may come at any time."""

    def begin(self, title: str, total: int | None) -> None: ...

    def at(self, done: int) -> None: ...

    def note(self, text: str) -> None: ...

    def end(self) -> None: ...


def terminal_progress(stream: TextIO | None = None) -> Progress:
    """What suits the stream (standard error by default)."""
    stream = stream or sys.stderr
    return Bar(stream) if stream.isatty() else Lines(stream)


class Bar:
    """One tqdm bar a stage: bytes, rate, time left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[NoReturn] | None = None

    def begin(self, title: str, total: int | None) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - where something is downloaded

        self.end()
        # A container's terminal may say that it has no columns, and no bar fits into those.
        sized = os.get_terminal_size(self._stream.fileno()).columns > 0
        self._bar = tqdm(
            desc=title,
            total=total,
            unit="B",
            unit_scale=True,
            file=self._stream,
            dynamic_ncols=sized,
            ncols=None if sized else NARROW,
        )

    def at(self, done: int) -> None:
        if self._bar is not None:
            if self._bar.n == 0 and self._bar.start_t:
                # What a former run left does not count into this run's rate.
                self._bar.initial = done
            self._bar.update(done - self._bar.n)

    def note(self, text: str) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - as above

        tqdm.write(text, file=self._stream)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Lines:
    """Plain lines, for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._title = ""
        self._total: int | None = None
        self._mark: tuple[float, int] | None = None

    def begin(self, title: str, total: int | None) -> None:
        self._title, self._total, self._mark = title, total, None
        self.note(f"{title} ({human(total)})" if total else title)

    def at(self, done: int) -> None:
        now = time.monotonic()
        if self._mark is None:
            self._mark = (now, done)
            return
        since, before = self._mark
        if now - since < LINE_INTERVAL:
            return
        rate = max(done - before, 0) / (now - since)
        self._mark = (now, done)
        line = f"{self._title}: {human(done)}"
        if self._total:
            line += f" of {human(self._total)} ({100 * done // self._total} %)"
        line += f", {rate / 1e6:.1f} MB/s"
        if self._total and rate:
            line += f", {max(self._total - done, 0) / rate:.0f} s left"
        self.note(line)

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def end(self) -> None:
        self._mark = None
