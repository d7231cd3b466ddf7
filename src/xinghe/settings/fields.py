"""An operator's table against the Struct that it becomes, field by field.

Converted as a whole, a value would be looked at only where nothing takes its place, and a wrong
name would be told without the right one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

import msgspec


def check_fields(
    table: Mapping[str, Any], kind: type[msgspec.Struct], *, within: str = "", strict: bool = True
) -> None:
    """Raises `ValueError`: a name that `kind` lacks, or a value that its field does not take.

    `within` stands before the names in the message. Not `strict`: a number may stand as text.
    """
    known = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for name, value in table.items():
        if name not in known:
            raise ValueError(f"`{within}{name}` is unknown, {suggestion(name, known)}")
        inner = known[name]
        nested = isinstance(inner, type) and issubclass(inner, msgspec.Struct)
        if nested and isinstance(value, Mapping):
            check_fields(value, inner, within=f"{within}{name}.", strict=strict)
            continue
        try:
            msgspec.convert(value, inner, strict=strict)
        except msgspec.ValidationError as error:
            # A key may be in a table.
            shown = "wrong" if isinstance(value, Mapping) else repr(value)
            raise ValueError(f"{within}{name} is {shown}: {error}") from error


def suggestion(name: str, known: Collection[str]) -> str:
    """What was probably meant by an unknown name, else all that is known."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{near[0]}`?" if near else f"allowed: {', '.join(known)}"
