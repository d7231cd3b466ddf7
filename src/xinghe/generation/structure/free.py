"""Properties beyond the declared ones: maps from names to values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from xinghe.generation.structure.canonical import matches, merged
from xinghe.generation.structure.errors import Impossible
from xinghe.generation.structure.keys import constants, free_keys
from xinghe.generation.structure.lark import COLON
from xinghe.generation.structure.patterns import disjoint
from xinghe.generation.structure.size import FEWEST, KEY, comfort, item_bound

if TYPE_CHECKING:
    from xinghe.generation.structure.compile import Compiler


class Free(NamedTuple):
    """Rules of free entries: the `fixed` ones, whose names differ, then `low`–`high` of `item`."""

    fixed: list[str]
    item: str
    low: int
    high: int


def free_entries(
    compiler: Compiler, node: dict[str, Any], names: tuple[str, ...], lacking: int, tokens: float
) -> Free | None:
    """The free entries of an object that declares `names` and lacks so many properties.

    `None` where the schema forbids them, or says nothing of them beside the declared ones.
    """
    maps = [] if closed(node) else list(_maps(compiler, node, names, lacking))
    failure = Impossible("additionalProperties", "admits no value")
    options: list[str] = []
    fixed: list[str] = []
    most = 0
    for listed, taken, schema in maps:
        if options and lacking > 1:
            break  # names of one kind can be kept apart
        count = item_bound(tokens, KEY + comfort(schema))
        try:
            value = compiler.emit(schema, max(tokens / count**0.5 - KEY, comfort(schema)))
            *apart, key = free_keys(compiler.lark, listed, taken, lacking)
        except Impossible as error:
            failure = error
            continue
        fixed = [compiler.lark.rule(f"{one} {COLON} {value}") for one in apart]
        options.append(f"{key} {COLON} {value}")
        most = max(most, count, lacking + FEWEST)
    if not options:
        if maps and lacking:
            raise failure
        return None
    item = compiler.lark.rule(" | ".join(options))
    return Free(fixed, item, max(0, lacking - len(fixed)), most)


def closed(node: dict[str, Any]) -> bool:
    """Whether the schema lists every name that may be used."""
    names = node.get("propertyNames", True)
    return names is False or (isinstance(names, dict) and constants(names))


def _maps(
    compiler: Compiler, node: dict[str, Any], names: tuple[str, ...], lacking: int
) -> Iterator[tuple[Any, tuple[str, ...], Any]]:
    """For each kind of free name: what it must fit, what it must not be, and its value."""
    listed = node.get("propertyNames", True)
    patterns: dict[str, Any] = node.get("patternProperties", {})
    for pattern, schema in patterns.items():
        if any(matches(pattern, name) for name in names):
            continue  # a free name could repeat a declared one
        also = [other for other in patterns if other != pattern and not disjoint(pattern, other)]
        value = (
            merged([schema, *(patterns[p] for p in also)], compiler.document) if also else schema
        )
        name: Any = {"type": "string", "pattern": pattern}
        if listed not in (True, {}) and not _said(listed, pattern):
            name = merged([listed, name], compiler.document)
        if value is not False:
            for branch in _branches(name):
                yield branch, (), value
    other = node.get("additionalProperties", True)
    declared = bool(names) and "additionalProperties" not in node
    if not patterns and other is not False and (not declared or lacking > 0):
        for branch in _branches(listed):
            yield branch, names, other


def _branches(names: Any) -> list[Any]:
    """The string schemas of which a free name fits any; they may overlap."""
    if names is False:
        return []
    branches = names.get("anyOf", [names]) if isinstance(names, dict) else [names]
    return [branch for branch in branches if branch is True or not constants(branch)]


def _said(listed: Any, pattern: str) -> bool:
    """Whether `propertyNames` admits whatever fits `pattern`, word for word."""
    branches = listed.get("anyOf", [listed]) if isinstance(listed, dict) else []
    return {"type": "string", "pattern": pattern} in branches
