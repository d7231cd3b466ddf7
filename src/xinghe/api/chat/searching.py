"""`web_search` (sections 4.1.2 and 5.4), in both spellings of its numbers."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.api.fields import flag, integer, obj, refuse

MOST = 28
DEFAULT = 10
NUMBERS = {"search_num": "search_number", "reference_num": "reference_number"}
FLAGS = ("enable", "enable_citation", "enable_trace", "enable_status")


class WebSearch(msgspec.Struct, frozen=True):
    """What a request wants of a search."""

    citation: bool
    trace: bool
    status: bool
    search_number: int
    reference_number: int


def read_search(body: dict[str, Any], ignored: list[str]) -> WebSearch | None:
    """The options; `None` where no search is wanted. Raises `ApiError`."""
    options = obj(body, "web_search")
    flags = {name: bool(flag(options, name, f"web_search.{name}")) for name in FLAGS}
    _, search = _number(options, "search_num")
    name, reference = _number(options, "reference_num")
    most = DEFAULT if search is None else search
    if reference is not None and reference > most:
        raise refuse(f"web_search.{name}", reference, f"an integer in [1, {most}], the search_num")
    known = {*FLAGS, *NUMBERS, *NUMBERS.values()}
    ignored += [f"web_search.{name}" for name in options if name not in known]
    if not flags["enable"]:
        return None
    return WebSearch(
        citation=flags["enable_citation"],
        trace=flags["enable_trace"],
        status=flags["enable_status"],
        search_number=most,
        reference_number=min(DEFAULT, most) if reference is None else reference,
    )


def _number(options: dict[str, Any], short: str) -> tuple[str, int | None]:
    """A number under either of its names, and the name under which it came."""
    found: dict[str, int] = {}
    for name in (short, NUMBERS[short]):
        value = integer({f"web_search.{name}": options.get(name)}, f"web_search.{name}", 1, MOST)
        if value is not None:
            found[name] = value
    if len(set(found.values())) > 1:
        raise refuse(
            f"web_search.{short}", found[short], f"the same as {NUMBERS[short]}, its alias"
        )
    return next(iter(found.items()), (short, None))
