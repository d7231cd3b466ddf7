"""The parameters behind a path's question mark as a typed Struct; each refusal names its field.

As with a body (`validation`), ranges stand in the annotations of an operation's Struct, and
`/openapi.json` is made of them. Unlike there, a parameter that is not known is refused: a filter
without effect would give figures of something else.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, ValidationError

from xinghe.api.errors import ApiError, Errors, refuse, shown
from xinghe.api.wording import allowed
from xinghe.core import LAST, MICRO
from xinghe.settings import nearest

MOST_PARAMETERS = 50
EPOCH = 1970
"""No time is of a year before."""
ALIKE = 0.7
"""How alike a name and a known one must be to be told as what was probably meant."""

ZONE = "a time zone's name, such as Asia/Shanghai or UTC"
TIME = (
    "a day (2026-11-29), a time (2026-11-29T10:00:00, with Z or +08:00 where it is not that of "
    "`zone`), or seconds since 1970"
)
Zone = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_+\-/]+$",
        description="Whose days and months count, and in which times are told.",
        extra={"allowed": ZONE},
    ),
]
Time = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        pattern=r"^[0-9TtZz:.+\- ]+$",
        description=TIME,
        extra={"allowed": TIME},
    ),
]
_SECONDS = re.compile(r"[0-9]{1,12}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

S = TypeVar("S", bound=msgspec.Struct)


class Query(Generic[S]):
    """How a query string becomes a Struct, whose fields all have defaults.

    `lenient`: what is not known is passed over, for clients that were not written for us.
    """

    def __init__(self, shape: type[S], *, lenient: bool = False) -> None:
        self.shape = shape
        self._lenient = lenient
        self._fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}

    def read(self, query: bytes) -> S:
        """Raises `ApiError` (400)."""
        given: dict[str, str] = {}
        for name, value in _pairs(query):
            if name in given:
                raise ApiError(Errors.MALFORMED_JSON, f"{name} is given more than once", param=name)
            if name in self._fields:
                given[name] = value
            elif not self._lenient:
                raise self._unknown(name)
        return self.take(given)

    def take(self, given: Mapping[str, str]) -> S:
        """The same of known parameters. Raises `ApiError`."""
        values: dict[str, Any] = {}
        for name, value in given.items():
            field = self._fields[name]
            try:
                converted = msgspec.convert(value, field.type, strict=False)
                # A database may take no NUL, and no name has one; `null` would be None.
                if converted is None or not value.isprintable():
                    raise ValidationError
                values[field.name] = converted
            except ValidationError:
                raise refuse(name, value, allowed(field.type, ())) from None
        return self.shape(**values)

    def _unknown(self, name: str) -> ApiError:
        near = nearest(name, self._fields, ALIKE)
        meant = f" (did you mean {near}?)" if near else ""
        return ApiError(
            Errors.MALFORMED_JSON,
            f"{shown(name)} is no parameter here{meant}, allowed: {', '.join(self._fields)}",
            param=name[:60] if name.isprintable() else None,
        )


def zone_of(name: str) -> ZoneInfo:
    """A time zone. Raises `ApiError`."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # no such file; a path that leads elsewhere
        raise refuse("zone", name, ZONE) from None


def in_zone(time: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    """A time as it is told in a zone; left as it is where that has no date for it, so at the end of
    the year 9999, which some take for never.
    """
    try:
        return time.astimezone(zone)
    except OverflowError:
        return time


def moment(field: str, value: str, zone: ZoneInfo, *, end: bool = False) -> int:
    """Microseconds since 1970, UTC; of a day its beginning, or its `end`. Raises `ApiError`."""
    try:
        if _SECONDS.fullmatch(value):
            at = int(value) * MICRO
        elif _DAY.fullmatch(value):
            at = _of_day(datetime.date.fromisoformat(value), zone, end=end)
        else:
            # In a query string, a plus sign that is not escaped is a space.
            told = re.sub(r" (\d\d:?\d\d)$", r"+\1", value)
            time = datetime.datetime.fromisoformat(told)
            at = micro(time if time.tzinfo else time.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        raise refuse(field, value, TIME) from None
    if not 0 <= at <= LAST:
        raise refuse(field, value, f"{TIME}, from 1970 to 9999")
    return at


def _of_day(day: datetime.date, zone: ZoneInfo, *, end: bool) -> int:
    """The first and the last day are cut where they lie beyond all times, as in some zones."""
    begins = datetime.datetime(day.year, day.month, day.day, tzinfo=zone)
    if not end:
        at = micro(begins)
    elif day == datetime.date.max:
        at = micro(begins.replace(hour=23, minute=59, second=59))
    else:
        at = micro(begins + datetime.timedelta(days=1))  # the same wall clock, whatever it does
    return min(max(at, 0), LAST) if day.year >= EPOCH else at


def micro(time: datetime.datetime) -> int:
    """Microseconds since 1970 of a time with its zone."""
    seconds = int(time.replace(microsecond=0).timestamp())
    return seconds * MICRO + time.microsecond


def parameters(shape: type[msgspec.Struct], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What `/openapi.json` says of a query; `schema` is that of its Struct."""
    described: list[dict[str, Any]] = []
    for field in msgspec.structs.fields(shape):
        own = dict(schema["properties"][field.encode_name])
        if "anyOf" in own:  # what is not there is null; nobody sends it
            own = dict(own["anyOf"][0])
        told = own.pop("description", None)
        parameter = {"name": field.encode_name, "in": "query", "required": False, "schema": own}
        described.append(parameter | ({"description": told} if told else {}))
    return described


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("latin-1"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise ApiError(Errors.MALFORMED_JSON, "the query string is not UTF-8") from None
    except ValueError:
        raise ApiError(
            Errors.MALFORMED_JSON, f"the query string has more than {MOST_PARAMETERS} parameters"
        ) from None
