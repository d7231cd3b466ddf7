"""Where log lines go: one that cannot be written is counted, and stops nobody's work."""

from contextlib import suppress
from typing import TextIO

from xinghe.observe import metrics


class Lines:
    """A stream that raises nothing: the disk may be full, or whoever reads the log gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # the latter: it is closed
            metrics.LOG_LINES_LOST.inc()
            return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):  # standard error writes each line by itself
            self._stream.flush()
