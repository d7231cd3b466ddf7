"""`field=value` as an operator writes it: the value that a field of a table takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from xinghe.settings import check_fields, suggestion
from xinghe.settings.toml import parsed
from xinghe.sources.source import SourceError

SECRET = ("key", "keys", "headers")
"""Fields whose values all who look at this machine's processes would see."""


def assigned(texts: Iterable[str], kind: type[msgspec.Struct], where: str) -> dict[str, Any]:
    """The values by field, as the fields of `kind` take them. Raises `SourceError`.

    A value is as in TOML, but for texts, which need no quotes, and lists of texts, which commas
    part.
    """
    types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, written = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SourceError(f"{where}: {text!r} is no field=value")
        known(name, types, where)
        found[name] = _value(written.strip(), types[name])
    try:
        check_fields(found, kind)
    except ValueError as error:
        raise SourceError(f"{where}: {error}") from None
    return found


def known(name: str, fields: Iterable[str], where: str) -> None:
    """Raises `SourceError` for a field that there is not."""
    fields = list(fields)
    if name not in fields:
        raise SourceError(f"{where}: `{name}` is unknown, {suggestion(name, fields)}")


def _value(text: str, kind: Any) -> Any:
    """The first way to read it that the field takes, else as a text, which is refused by name."""
    for value in (*_toml(text), text, [each.strip() for each in text.split(",") if each.strip()]):
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            continue
        return value
    return next(iter(_toml(text)), text)


def _toml(text: str) -> list[Any]:
    try:
        tree = parsed(f"value = {text}")
    except ValueError:
        return []
    return [tree["value"]] if tree.keys() == {"value"} else []
