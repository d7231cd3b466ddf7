"""What the pages of usage are asked for: all of it stands in their URLs."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import msgspec

from xinghe.api import query
from xinghe.api.errors import ApiError
from xinghe.core import MICRO

CHARTS, ENTRIES = "/console/usage", "/console/usage/entries"
REQUESTS = "/console/usage/requests"

Period = Literal["24h", "7d", "14d", "30d", "month", "range"]
Interval = Literal["hour", "day", "month"]
Metric = Literal["spend", "requests", "input", "output"]
By = Literal["model", "token", "member"]
DEFAULTS = {"period": "7d", "show": "spend", "by": "model"}
DAYS = {"7d": 7, "14d": 14, "30d": 30}
BY_HOUR, BY_DAY = 2, 92
"""Up to so many days, a chart is drawn by the hour, by the day."""
_FIELDS = (
    "period", "from", "to", "model", "token", "kind", "group", "member", "show", "by"
)  # fmt: skip
_SCOPE = ("group", "member")


class Span(msgspec.Struct, frozen=True):
    """From `begin` on, before `end`, told apart by an interval; days are of the browser's zone.

    `open`: it ends now, so its last piece is not over.
    """

    begin: datetime.datetime
    end: datetime.datetime
    interval: Interval
    open: bool


class Filters(msgspec.Struct, frozen=True):
    """The filters that a URL says; `given` are its parameters that are ours.

    A choice that there is not is taken for the usual one. What the API does not take is left as it
    is, for the API to refuse.
    """

    given: dict[str, str]
    zone: str
    now: datetime.datetime

    @classmethod
    def of(cls, wanted: Mapping[str, str], zone: str) -> Filters:
        given = {name: text for name in _FIELDS if (text := wanted.get(name, "").strip())}
        for name, allowed in ("period", Period), ("show", Metric), ("by", By):
            if given.get(name) not in get_args(allowed):
                given.pop(name, None)
        if "period" not in given and ("from" in given or "to" in given):
            given["period"] = "range"
        now = datetime.datetime.now(ZoneInfo(zone))
        if given.get("period") != "range":
            given = {name: text for name, text in given.items() if name not in ("from", "to")}
        else:
            given.setdefault("to", f"{max(now.date(), _date(given.get('from'), now)):%Y-%m-%d}")
            last = _date(given["to"], now)
            given.setdefault("from", f"{last - datetime.timedelta(days=29):%Y-%m-%d}")
        return cls(given, zone, now)

    def __getitem__(self, name: str) -> str:
        return self.given.get(name, DEFAULTS.get(name, ""))

    @property
    def metric(self) -> Metric:
        return cast("Metric", self["show"])

    @property
    def by(self) -> By:
        return cast("By", self["by"])

    @property
    def since(self) -> str:
        """The first day, or the moment, as the API takes it."""
        period, today = self["period"], self.now.date()
        if period == "range":
            return self["from"]
        if period == "24h":
            hour = self.now.replace(minute=0, second=0, microsecond=0)
            first_hour = hour.astimezone(datetime.UTC) - datetime.timedelta(hours=23)
            return minute(first_hour.astimezone(self.now.tzinfo))
        first = today.replace(day=1)
        if period in DAYS:
            first = today - datetime.timedelta(days=DAYS[period] - 1)
        return f"{first:%Y-%m-%d}"

    @property
    def until(self) -> str | None:
        """The last day, or the moment before which it ends; None: now."""
        return self["to"] if self["period"] == "range" else None

    @property
    def span(self) -> Span | None:
        """None where the API will not take the times, and where all of them are to come."""
        begin = moment(self.since, self.zone)
        end = self.now if self.until is None else moment(self.until, self.zone, end=True)
        if begin is None or end is None:
            return None
        # Nothing was used tomorrow.
        end = min(end, _midnight(self.now))
        if end <= begin:
            return None
        days = (end - begin) / datetime.timedelta(days=1)
        interval: Interval = "hour" if days <= BY_HOUR else "day" if days <= BY_DAY else "month"
        return Span(begin, end, interval, self.until is None)

    @property
    def scope(self) -> dict[str, Any]:
        """Whom it is about, for the API; and in whose zone times are told."""
        return {name: self.given.get(name) for name in _SCOPE} | {"zone": self.zone}

    @property
    def filters(self) -> dict[str, Any]:
        """All parameters that entries and sums have in common, for the API."""
        when = {"from": self.since, "to": self.until}
        what = {name: self.given.get(name) for name in ("model", "token")}
        return self.scope | when | what

    def url(self, path: str, **changes: str | None) -> str:
        """A page with the same filters but for some; None, or the usual choice, leaves one out."""
        told = {name: value for name, value in (self.given | changes).items() if value}
        shown = {name: value for name, value in told.items() if DEFAULTS.get(name) != value}
        return f"{path}?{urlencode(shown)}" if shown else path

    def request(self, request_id: str) -> str:
        """The page of a request, of whom is asked about."""
        scope = {name: self.given[name] for name in _SCOPE if name in self.given}
        path = f"{REQUESTS}/{quote(request_id, safe='')}"
        return f"{path}?{urlencode(scope)}" if scope else path


def moment(text: str, zone: str, *, end: bool = False) -> datetime.datetime | None:
    """A day's beginning, or its `end`, or a moment, as the API takes it; None where it does not."""
    try:
        at = query.moment("from", text, ZoneInfo(zone), end=end)
        return datetime.datetime.fromtimestamp(at // MICRO, ZoneInfo(zone))
    except (ApiError, ValueError, OverflowError):
        return None


def minute(time: datetime.datetime) -> str:
    """A moment as the API takes it, and as a URL shows it: `2026-11-29T10:00+08:00`."""
    return time.isoformat(timespec="minutes")


def _midnight(now: datetime.datetime) -> datetime.datetime:
    """The end of today."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=1)


def _date(text: str | None, now: datetime.datetime) -> datetime.date:
    found = moment(text or "", str(now.tzinfo))
    return now.date() if found is None else found.date()
