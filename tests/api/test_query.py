"""The parameters of a path: what becomes of them, and what a refusal says."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from xinghe.api.errors import ApiError
from xinghe.api.query import Query, Time, Zone, moment, parameters, zone_of
from xinghe.core import LAST, MICRO

DAY = 86_400_000_000
SHANGHAI = zone_of("Asia/Shanghai")


class Sample(msgspec.Struct, kw_only=True):
    since: Time | None = msgspec.field(default=None, name="from")
    limit: Annotated[int, Meta(ge=1, le=9, description="At most.")] = 5
    form: Literal["csv", "json"] = "json"
    name: Annotated[str, Meta(min_length=1, max_length=4)] | None = None
    zone: Zone = "UTC"
    maybe: Annotated[int, Meta(ge=0, le=5)] | None = None


QUERY = Query(Sample)


def refusal(query: bytes) -> ApiError:
    with pytest.raises(ApiError) as raised:
        QUERY.read(query)
    assert raised.value.row.status == 400
    return raised.value


def test_values_are_typed_and_escapes_are_read() -> None:
    assert QUERY.read(b"") == Sample()
    read = QUERY.read(b"limit=9&form=csv&name=%E6%98%9F+%2B&from=2026-11-29")
    assert read == Sample(limit=9, form="csv", name="星 +", since="2026-11-29")


@pytest.mark.parametrize(
    ("query", "param", "says"),
    [
        (b"limit=0", "limit", 'limit is "0", allowed: an integer in [1, 9]'),
        (b"limit=", "limit", 'limit is "", allowed: an integer in [1, 9]'),
        (b"name=null&maybe=null", "maybe", 'maybe is "null", allowed: an integer in [0, 5]'),
        (b"limit=1.5", "limit", "allowed: an integer in [1, 9]"),
        (b"limit=" + b"9" * 400, "limit", "allowed: an integer in [1, 9]"),
        (b"form=xml", "form", 'form is "xml", allowed: csv, json'),
        (b"name=", "name", "allowed: a string of 1 to 4 characters"),
        (b"name=a%00", "name", "allowed: a string of 1 to 4 characters"),
        (b"name=a&name=b", "name", "name is given more than once"),
        (b"zone=../etc", "zone", "allowed: a time zone's name"),
        (b"from=yesterday", "from", "allowed: a day"),
        (b"limti=5", "limti", '"limti" is no parameter here (did you mean limit?), allowed: from'),
        (b"nothing", "nothing", '"nothing" is no parameter here, allowed: from, limit, form'),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(query: bytes, param: str, says: str) -> None:
    error = refusal(query)
    assert says in error.message
    assert error.param == param


@pytest.mark.parametrize("query", [b"name=%ff", b"a=1&" * 60, b"=1", b"%00=1", b"&&a"])
def test_what_is_no_query(query: bytes) -> None:
    assert refusal(query).message


def test_a_lenient_one_passes_over_what_it_does_not_know() -> None:
    assert Query(Sample, lenient=True).read(b"date=1&limit=3") == Sample(limit=3)


@pytest.mark.parametrize(
    ("value", "micro"),
    [
        ("1970-01-02", DAY - 8 * DAY // 24),
        ("1970-01-02T00:00:00", DAY - 8 * DAY // 24),
        ("1970-01-02T00:00:00Z", DAY),
        ("1970-01-02T08:00:00+08:00", DAY),
        ("1970-01-02T08:00:00 08:00", DAY),  # its plus sign was not escaped
        ("1970-01-02T00:00:00.000001Z", DAY + 1),
        ("86400", DAY),
    ],
)
def test_times(value: str, micro: int) -> None:
    assert moment("from", value, SHANGHAI) == micro


def test_a_day_ends_with_its_last_moment() -> None:
    assert moment("to", "1970-01-02", SHANGHAI, end=True) == 2 * DAY - 8 * DAY // 24
    spring = zone_of("Europe/Berlin")  # the clocks go forward: 23 hours
    length = moment("to", "2026-03-29", spring, end=True) - moment("from", "2026-03-29", spring)
    assert length == 23 * DAY // 24


@pytest.mark.parametrize(
    "value", ["2026-02-30", "1969-12-31", "10000-01-01", "999999999999", "-5", "T"]
)
def test_what_is_no_time(value: str) -> None:
    with pytest.raises(ApiError, match="to is "):
        moment("to", value, SHANGHAI, end=True)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/Los_Angeles"])
def test_the_first_and_the_last_day_are_days(zone: str) -> None:
    first = moment("from", "1970-01-01", zone_of(zone))
    last = moment("to", "9999-12-31", zone_of(zone), end=True)
    assert 0 <= first < moment("to", "1970-01-01", zone_of(zone), end=True)
    assert moment("from", "9999-12-31", zone_of(zone)) < last <= LAST
    # Whatever is told of it has a date.
    assert datetime.datetime.fromtimestamp(last // MICRO, zone_of(zone)).year == 9999


@pytest.mark.parametrize("name", ["Mars/Base", "Asia", "/etc/passwd", "Asia/../UTC"])
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ApiError, match="allowed: a time zone's name"):
        zone_of(name)


def test_the_document_has_each_with_its_range() -> None:
    schema = msgspec.json.schema_components([Sample])[1]["Sample"]
    told = {each["name"]: each for each in parameters(Sample, schema)}
    assert list(told) == ["from", "limit", "form", "name", "zone", "maybe"]
    assert told["limit"]["description"] == "At most."
    assert told["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 5}
