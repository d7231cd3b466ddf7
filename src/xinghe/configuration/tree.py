"""An operator's tree, as `models.toml` holds it: its rules, and what differs between two."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET

from xinghe.catalog import Tree
from xinghe.catalog.catalog import MAX_NAME
from xinghe.catalog.catalog import SECTIONS as MODELS
from xinghe.safety.lists import MAX_BYTES as MAX_LIST_BYTES
from xinghe.safety.lists import read_list
from xinghe.settings import shape, suggestion
from xinghe.settings.toml import MAX_DEPTH

Path: TypeAlias = tuple[str, ...]

SAFETY: Final = "safety"
LISTS: Path = (SAFETY, "lists")
"""Where the operator's lists for moderation are: the text of each by the name of its file."""
SECTIONS = (*MODELS, SAFETY)
MAX_BYTES = 1024 * 1024
"""Of a tree without its lists, as JSON."""
MAX_LISTS = 200
_LEAST, _MOST = -(2**63), 2**63 - 1
_BARE = re.compile("[A-Za-z0-9_-]+")
_LIST_NAME = re.compile(r"[^/\\.\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,94}\.txt")
KINDS = "a text, a number, true or false, a list or a table"


class ConfigurationError(Exception):
    """A configuration that is not applied; the message says why, and what to do."""


class TreeError(ConfigurationError):
    """A tree that breaks the rules; the message names the field."""


class Change(msgspec.Struct, frozen=True):
    """What differs at a path; `UNSET` where there is nothing."""

    path: Path
    before: Any
    after: Any


def named(path: Path) -> str:
    """A path as TOML writes it: `models."ernie-4.5-8k".rpm`."""
    return ".".join(
        part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path
    )


def checked(tree: object, old: Tree | None = None, *, patch: bool = False) -> Tree:
    """The tree, if it may be one; with `patch`, null may stand for what is to be taken out.

    What it says of models is for the catalog to judge. A list that is the same in `old` is right.
    Raises `TreeError`.
    """
    if not isinstance(tree, dict):
        raise TreeError("the configuration is no table of tables")
    for section, entries in tree.items():
        if section not in SECTIONS:
            raise TreeError(f"`{_plain(section)}` is no section, {suggestion(section, SECTIONS)}")
        if not (isinstance(entries, dict) or (patch and entries is None)):
            raise TreeError(f"`{section}` is {shape(entries)}, allowed: a table")
    _check(tree, (), patch=patch)
    _check_lists(tree.get(SAFETY) or {}, lists_of(old or {}), patch=patch)
    size = len(msgspec.json.encode(models_of(tree)))
    if size > MAX_BYTES:
        raise TreeError(f"the configuration has {size} bytes as JSON, allowed: 0 to {MAX_BYTES}")
    return tree


def lists_of(tree: Mapping[str, Any]) -> dict[str, str]:
    """The operator's lists: text by name."""
    found: dict[str, str] = tree.get(SAFETY, {}).get("lists", {})
    return found


def models_of(tree: Mapping[str, Any]) -> Tree:
    """What `models.toml` may hold of it."""
    return {section: entries for section, entries in tree.items() if section != SAFETY}


def with_lists(models: Tree, lists: Mapping[str, str]) -> Tree:
    """Both parts together."""
    return {**models, SAFETY: {"lists": dict(lists)}} if lists else models_of(models)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal; true is not 1, and the order of a table does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def changes(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """What differs, field by field; an entry that only one of them has is one change."""
    if len(path) < 2 or path == LISTS:
        old, new = ({} if each is UNSET else each for each in (old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from changes(old.get(key, UNSET), new.get(key, UNSET), (*path, key))
    elif not same(old, new):
        yield Change(path, old, new)


def _check(value: object, path: Path, *, patch: bool) -> None:
    """Raises `TreeError`."""
    if len(path) > MAX_DEPTH:
        raise TreeError(f"{named(path[:3])}… is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for name, each in value.items():
            if not _is_name(name):
                raise TreeError(
                    f"{named(path) or 'the configuration'} has the name {_short(name)}, "
                    f"allowed: 1 to {MAX_NAME} printable characters"
                )
            _check(each, (*path, name), patch=patch)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            _check(each, (*path, str(at)), patch=False)
    elif not (patch and value is None):
        _check_plain(value, path)


def _check_plain(value: object, path: Path) -> None:
    """Raises `TreeError`."""
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise TreeError(f"{named(path)} has half of a character (a surrogate)") from None
        case bool():
            pass
        case int() if not _LEAST <= value <= _MOST:
            raise TreeError(f"{named(path)} is beyond 64 bits, allowed: {_LEAST} to {_MOST}")
        case float() if not abs(value) < float("inf"):
            raise TreeError(f"{named(path)} is {value}, allowed: a finite number")
        case int() | float():
            pass
        case _:
            raise TreeError(f"{named(path)} is {_short(value)}, allowed: {KINDS}")


def _check_lists(safety: Tree, known: dict[str, str], *, patch: bool) -> None:
    """Raises `TreeError`."""
    for name in safety:
        if name != "lists":
            raise TreeError(f"`{SAFETY}.{_plain(name)}` is unknown, {suggestion(name, ['lists'])}")
    lists = safety.get("lists", {})
    if patch and lists is None:
        return
    if not isinstance(lists, dict):
        raise TreeError(f"{named(LISTS)} is {_short(lists)}, allowed: a table of texts")
    if len(lists) > MAX_LISTS:
        raise TreeError(f"{named(LISTS)} has {len(lists)} lists, allowed: 0 to {MAX_LISTS}")
    for name, text in lists.items():
        if text != known.get(name) and not (patch and text is None):
            _check_list(name, text)


def _check_list(name: str, text: object) -> None:
    """Raises `TreeError`."""
    if not _LIST_NAME.fullmatch(name):
        raise TreeError(
            f"{named(LISTS)} has the name {_short(name)}, allowed: a file's, such as block.txt"
        )
    where = named((*LISTS, name))
    if not isinstance(text, str):
        raise TreeError(f"{where} is {_short(text)}, allowed: a text")
    size = len(text.encode())
    if size > MAX_LIST_BYTES:
        raise TreeError(f"{where} has {size} bytes, allowed: 0 to {MAX_LIST_BYTES}")
    found = read_list(name, text.encode())
    if found.broken and not found.phrases:
        number, reason = found.broken[0]
        raise TreeError(f"{where}: no line is a phrase (line {number}: {reason})")


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def _short(value: object) -> str:
    """A value in a message: no longer than a line, and never what is in a table."""
    if isinstance(value, str):
        text = repr(value) if value.isprintable() else ascii(value)
    else:
        text = shape(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _plain(name: str) -> str:
    """The same of a name that stands in quotes already."""
    return name if name.isprintable() and len(name) <= 60 else _short(name)
