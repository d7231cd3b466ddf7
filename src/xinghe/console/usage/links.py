"""What the numbers of a chart lead to; a chart has hundreds, so URLs are put together fast."""

from __future__ import annotations

from urllib.parse import urlencode

from xinghe.console.usage.filters import ENTRIES, Filters
from xinghe.console.usage.series import OTHERS, Series
from xinghe.console.usage.slots import Slot

_TIMES = ("period", "from", "to")


class Links:
    """The URLs of entries: those of a series, in a slot of time, or of all that was asked for.

    What is not told apart, such as the others, has no filter of its own: it leads to all of its
    time.
    """

    def __init__(self, asked: Filters) -> None:
        self._by: str = asked.by
        given = asked.given | {"kind": "usage"}
        whole = {name: given.pop(name) for name in _TIMES if name in given}
        which: dict[str, str] = {self._by: given.pop(self._by)} if self._by in given else {}
        self._begin = f"{ENTRIES}?{urlencode(given)}"
        self._slots: dict[Slot | None, str] = {None: _more(whole)}
        self._series = {"": _more(which), OTHERS: _more(which)}

    def __call__(self, series: Series | None = None, slot: Slot | None = None) -> str:
        key = "" if series is None else series.key
        which = self._series.get(key)
        if which is None:
            which = self._series[key] = _more({self._by: key})
        when = self._slots.get(slot)
        if slot is not None and when is None:
            times = {"period": "range", "from": slot.since, "to": slot.until}
            when = self._slots[slot] = _more(times)
        return f"{self._begin}{when}{which}"


def _more(filters: dict[str, str]) -> str:
    return f"&{urlencode(filters)}" if filters else ""
