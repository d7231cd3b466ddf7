"""A page of the playground that is a form: what it asks of one operation of the API."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from xinghe.console.layout.snippet import Snippet
from xinghe.console.page import Page
from xinghe.console.playground.parameters import Parameter, read
from xinghe.console.reference.contract import DIALECTS
from xinghe.console.reference.programs import Request, written
from xinghe.console.reference.sample import Client, Sample

MOUNT = DIALECTS["documented"]
"""Where what is beyond a limit is refused, as the form says; `/v1` would bring it into range."""
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"[-+]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})([eE][-+]?[0-9]{1,3})?")
_ENDS = re.compile(r"\r\n|\r|\n")


class Form(msgspec.Struct, frozen=True):
    """`path` is the operation's at `MOUNT`. Of its fields, `texts` are typed as they are, `lines`
    one a line, `parameters` are set beside them, those of `late` seldom; OpenAI's `client` for
    Python knows all but `extra`.
    """

    name: str
    path: str
    kind: Literal["embedding", "image"]
    parameters: tuple[Parameter, ...]
    texts: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    client: Client | None = None
    extra: frozenset[str] = frozenset()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"/console/playground/{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be typed or chosen."""
        return ("model", *self.texts, *self.lines, *(each.name for each in self.parameters))

    def typed(self, page: Page) -> dict[str, str]:
        """What stands in the form's fields: what was sent, else nothing."""
        return {name: _ENDS.sub("\n", page.field(name)) for name in self.names}

    def body(self, typed: Mapping[str, str]) -> dict[str, Any]:
        """What is asked for. What is no number goes as it is: the API says what it takes."""
        body: dict[str, Any] = {"model": typed["model"]}
        body |= {name: typed[name] for name in self.texts if typed[name] or name == self.texts[0]}
        body |= {name: lines(typed[name]) for name in self.lines}
        for each in self.parameters:
            if text := typed[each.name]:
                body[each.name] = _value(each, text)
        return body

    def programs(self, base_url: str, body: Mapping[str, Any]) -> list[Snippet]:
        """The same request in Python, Node and curl."""
        extra = {name: value for name, value in body.items() if name in self.extra}
        given = {name: value for name, value in body.items() if name not in self.extra}
        sample = Sample(body=given, extra=extra, client=self.client)
        base_url += MOUNT
        return written(Request(sample, "POST", base_url + self.path, base_url))


def parameters_of(
    shape: type[msgspec.Struct], without: frozenset[str] | set[str]
) -> tuple[Parameter, ...]:
    """The fields of a request, but for some, as its own shape says."""
    _, shapes = msgspec.json.schema_components([shape])
    fields: dict[str, Any] = shapes[shape.__name__]["properties"]
    found = [read(name, schema) for name, schema in fields.items() if name not in without]
    return tuple(each for each in found if each is not None)


def lines(text: str) -> list[str]:
    """The lines of a text that are not blank."""
    return [each for each in text.split("\n") if each.strip()]


def _value(parameter: Parameter, text: str) -> Any:
    if parameter.kind == "flag":
        return {"true": True, "false": False}.get(text, text)
    return text if parameter.kind == "choice" else _number(text)


def _number(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
