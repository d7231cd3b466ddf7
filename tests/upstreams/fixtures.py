"""The dialects of upstreams: what each sends, and what must come out of it.

A file of `dialects/` is one kind of server, written by us in the form that its pages describe. In
`stream` and `whole` a line that begins with two spaces goes on with the one before it.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

FOLDER = Path(__file__).with_name("dialects")
Form = Literal["stream", "whole"]
_GOES_ON = re.compile(r"\n  +")


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes out. `finish` is the documented word, or `error` where the answer breaks off.

    `usage` are the tokens of prompt, answer, cache and thought, as far as they are given, as the
    server counts them; without it `counted` is our own count of the answer's.
    """

    text: str = ""
    thought: str = ""
    refusal: str = ""
    calls: list[tuple[str, str]] = []
    finish: Literal["", "normal", "length", "content_filter", "error"] = ""
    usage: list[int] = []
    counted: int = 0

    @property
    def ends(self) -> str:
        """The finish reason at the documented mounts."""
        if self.finish:
            return self.finish
        if self.refusal:
            return "content_filter"
        return "function_call" if self.calls else "normal"


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer: as events, as one JSON object, or both."""

    name: str
    wanted: Wanted
    stream: str = ""
    whole: str = ""

    def body(self, form: Form) -> bytes:
        """What the server sends after its head."""
        text = self.stream if form == "stream" else self.whole
        return _GOES_ON.sub("", text).encode() + b"\n"


class Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of server; `pages` tell of it."""

    pages: list[str]
    says: str
    case: list[Case]


@cache
def dialects() -> dict[str, Dialect]:
    """Every dialect by its name."""
    return {
        path.stem: msgspec.convert(tomllib.loads(path.read_text("utf-8")), Dialect)
        for path in sorted(FOLDER.glob("*.toml"))
    }


@cache
def cases() -> dict[str, Case]:
    """Every case, as `dialect/name`."""
    return {f"{name}/{case.name}": case for name, each in dialects().items() for case in each.case}


def played() -> list[tuple[str, Form]]:
    """Every case in each form that it has: `stream` or `whole`."""
    forms: tuple[Form, ...] = ("stream", "whole")
    return [(name, form) for name, case in cases().items() for form in forms if getattr(case, form)]
