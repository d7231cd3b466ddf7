"""Reads the settings: defaults, then `xinghe.toml`, then `XINGHE_*` variables.

`XINGHE_SERVER__PORT=8080` sets `server.port`: two underscores stand for a dot.
"""

import difflib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from xinghe.settings.sections import Settings, xdg
from xinghe.settings.toml import parsed

_SECRET = re.compile(
    "(keys?|tokens?|secrets?|passw(or)?ds?|authorization|auth|cookie|credentials?|signature|bearer)"
    r"[\W_]*\d*$",
    re.IGNORECASE,
)
LONGEST = 60
"""Characters of a wrong value that are told."""


class SettingsError(Exception):
    """A setting that cannot be used; the message names it and where it came from."""


def load(
    data: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read the settings for a data directory.

    `overrides` maps dotted names to values and wins over everything (command line options).
    Raises `SettingsError`.
    """
    directory = (
        data or environ.get("XINGHE_DATA") or str(xdg("XDG_DATA_HOME", ".local/share") / "xinghe")
    )
    tree: dict[str, Any] = {}
    file = Path(environ.get("XINGHE_CONFIG") or Path(directory).expanduser() / "xinghe.toml")
    try:
        tree = parsed(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if "XINGHE_CONFIG" in environ:
            raise SettingsError(f"XINGHE_CONFIG names {file}, which does not exist") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}: {error}") from error
    # Each source whole, before the next takes the place of some of it.
    _check(tree, str(file))
    for name, value in environ.items():
        # Only what names a section: an orchestrator may put a XINGHE_PORT of its own there.
        if name.startswith("XINGHE_") and "__" in name:
            _put(tree, name.removeprefix("XINGHE_").lower().split("__"), value)
    _check(tree, "the XINGHE_* variables")
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _put(tree, dotted.split("."), value)
    tree["data"] = directory
    try:
        # Variables of the environment are text: `strict=False` reads "8080" as the number it is.
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{error} (from {file} and the XINGHE_* variables)") from error


def check_fields(
    table: Mapping[str, Any], kind: type[msgspec.Struct], *, within: str = "", strict: bool = True
) -> None:
    """An operator's table against the Struct that it becomes, field by field.

    Converted as a whole, a value would be looked at only where nothing takes its place, and a
    wrong name would be told without the right one. Raises `ValueError`: a name that `kind` lacks,
    or a value that its field does not take.

    `within` stands before the names in the message. Not `strict`: a number may stand as text.
    """
    known = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for name, value in table.items():
        if name not in known:
            raise ValueError(f"`{within}{name}` is unknown, {suggestion(name, known)}")
        inner = known[name]
        struct = _struct_within(inner)
        if struct is inner and isinstance(value, Mapping):
            check_fields(value, struct, within=f"{within}{name}.", strict=strict)
            continue
        if struct is not None and isinstance(value, list):
            for at, each in enumerate(value):
                if isinstance(each, Mapping):
                    check_fields(each, struct, within=f"{within}{name}[{at}].", strict=strict)
        try:
            msgspec.convert(value, inner, strict=strict)
        except msgspec.ValidationError as error:
            wants_table = struct is not None or get_origin(inner) is dict
            # A key may be in a table, a password in a text where a table should be.
            secret = isinstance(value, Mapping | list) or (wants_table and isinstance(value, str))
            shown = "wrong" if secret or is_secret_name(name, inner) else _short(value)
            raise ValueError(f"{within}{name} is {shown}: {error}") from error


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def is_secret_name(name: str, kind: Any = str) -> bool:
    """Whether what a field of this name and type holds is shown to nobody."""
    return kind is str and bool(_SECRET.search(name))


def shape(value: object) -> str:
    """What a value is, in a message: without what it holds, but for numbers and the like."""
    names: dict[type, str] = {dict: "a table", list: "a list", str: "a text", type(None): "null"}
    return names.get(type(value)) or repr(value)


def _struct_within(kind: Any) -> type[msgspec.Struct] | None:
    """The Struct that a value of this type, or an item of it, may be."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next(filter(None, map(_struct_within, get_args(kind))), None)


def suggestion(name: str, known: Collection[str]) -> str:
    """What was probably meant by an unknown name, else all that is known."""
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else f"allowed: {', '.join(known)}"


def nearest(name: str, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like an unknown one; at `cutoff` 1 no other is like enough."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), None)


def _check(tree: dict[str, Any], source: str) -> None:
    try:
        check_fields(tree, Settings, strict=False)
    except ValueError as error:
        raise SettingsError(f"{error} (from {source})") from error


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        branch = tree.setdefault(part, {})
        if not isinstance(branch, dict):
            raise SettingsError(f"`{part}` is a value, not a section")
        tree = branch
    tree[path[-1]] = value
