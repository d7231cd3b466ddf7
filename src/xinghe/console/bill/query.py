"""What the bill's page is asked for: all of it stands in its URL."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

BILL = "/console/bill"
_FIELDS = ("month", "group", "member")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class BillQuery(msgspec.Struct, frozen=True):
    """A `month` (the running one, where none is named), and whose bill; all as it was given."""

    given: dict[str, str]
    zone: str
    running: str

    @classmethod
    def of(cls, wanted: Mapping[str, str], zone: str) -> BillQuery:
        given = {name: text for name in _FIELDS if (text := wanted.get(name, "").strip())}
        return cls(given, zone, f"{datetime.datetime.now(ZoneInfo(zone)):%Y-%m}")

    def __getitem__(self, name: str) -> str:
        return self.given.get(name, "")

    @property
    def month(self) -> str:
        return self["month"] or self.running

    @property
    def question(self) -> dict[str, str]:
        """As the API takes it."""
        return self.given | {"zone": self.zone}

    @property
    def before(self) -> str | None:
        """The month before."""
        return self._beside(-1)

    @property
    def after(self) -> str | None:
        """The month behind, if it has begun."""
        found = self._beside(1)
        return found if found is not None and found <= self.running else None

    def url(self, path: str = BILL, **changed: str) -> str:
        found = urlencode({name: text for name, text in (self.given | changed).items() if text})
        return f"{path}?{found}" if found else path

    def _beside(self, step: int) -> str | None:
        if not _MONTH.fullmatch(self.month):
            return None
        number = int(self.month[:4]) * 12 + int(self.month[5:]) - 1 + step
        return f"{number // 12:04}-{number % 12 + 1:02}" if number >= 1970 * 12 else None
