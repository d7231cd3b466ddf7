"""Stop strings: found wherever the chunks break, and never shown in part."""

from __future__ import annotations

from collections.abc import Sequence


class StopScanner:
    """Feeds text through; keeps back the tail that may be the beginning of a stop string."""

    __slots__ = ("_held", "_longest", "_stops")

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._longest = max(map(len, self._stops), default=0)
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """What may be shown now, and whether a stop string has ended the answer."""
        if not self._stops:
            return text, False
        text = self._held + text
        # Where the first to be complete ends, and how early it began: so chunks cannot matter.
        found = min(
            ((at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0),
            default=None,
        )
        if found is not None:
            self._held = ""
            return text[: found[1]], True
        keep = self._overlap(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def flush(self) -> str:
        """What was kept back, once the engine has ended by itself."""
        held, self._held = self._held, ""
        return held

    def _overlap(self, text: str) -> int:
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
