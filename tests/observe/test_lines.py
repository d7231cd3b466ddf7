"""A log line that cannot be written is counted, and nobody hears of it otherwise."""

from __future__ import annotations

import io

import pytest

from xinghe.observe import metrics
from xinghe.observe.lines import Lines


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def lost() -> float:
    return float(metrics.LOG_LINES_LOST._value.get())


@pytest.mark.parametrize("closed", [False, True])
def test_what_cannot_be_written_is_counted(closed: bool) -> None:
    stream = io.StringIO() if closed else Full()
    if closed:
        stream.close()
    before = lost()
    Lines(stream).write("a line\n")
    Lines(stream).flush()
    assert lost() == before + 1


def test_what_can_be_is_written() -> None:
    stream = io.StringIO()
    Lines(stream).write("a line\n")
    assert stream.getvalue() == "a line\n"
