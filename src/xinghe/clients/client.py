"""A program that people connect, and what it is told of this installation."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

Form = Literal["bash", "toml", "json", "python", "fields"]
"""In what its settings are written; `fields` are those of a page that people fill in."""
PLACEHOLDER = "xh-…"
"""Where the access token belongs."""


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field of a page; `other` is the value in English, where that is another."""

    chinese: str
    english: str
    value: str
    other: str = ""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One piece of the settings; `place` is the file that it is, if it is one."""

    form: Form
    text: str = ""
    place: str = ""
    fields: tuple[Field, ...] = ()


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A program. `clients.toml` says what each field means."""

    id: str
    name: str
    mount: Literal["", "/v1"]
    least: str
    model: str
    chinese: str
    english: str
    parts: tuple[Part, ...]
    tried: str = ""
    agent: bool = False
    container: bool = False


class Values(msgspec.Struct, frozen=True):
    """What is put into the settings. `url` is the host alone; the limits are in tokens.

    `built_in` tells that the model's name is served by the model that comes with the program.
    """

    url: str
    token: str
    model: str
    context: int
    output: int
    built_in: bool = False


def find(name: str) -> Client | None:
    """By its id, or its name however it is written."""
    wanted = _plain(name)
    return next((each for each in CLIENTS if wanted in (_plain(each.id), _plain(each.name))), None)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


CLIENTS: Sequence[Client] = msgspec.convert(
    tomllib.loads((Path(__file__).parent / "clients.toml").read_text("utf-8"))["clients"],
    tuple[Client, ...],
)
