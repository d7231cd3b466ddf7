"""Objects: declared properties in the author's order, then free ones, maps from names to values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from xinghe.generation.structure.canonical import (
    closed_names,
    constants,
    followed,
    listed_names,
    matches,
    merged,
)
from xinghe.generation.structure.lark import (
    COLON,
    COMMA,
    FEWEST,
    KEY,
    Lark,
    estimate,
    item_bound,
    literal,
    repeated,
)
from xinghe.generation.structure.refusals import Impossible, Unsupported
from xinghe.generation.structure.strings import FIRST, LAST, Text, disjoint, text, text_parts

if TYPE_CHECKING:
    from xinghe.generation.structure.compile import Compiler

OBJECT = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "patternProperties",
        "propertyNames", "minProperties", "maxProperties",
    }
)  # fmt: skip
UNBOUNDED = 10**9
LINE = 80
"""Characters of an expression that is given a name of its own."""
KEY_LENGTH = 40
"""Characters of a free name, where the schema has no bound of its own."""
STARTS = tuple(
    f"^[{span}]" for span in ("a-f", "g-m", "n-s", "t-z", "A-F", "G-M", "N-S", "T-Z", "0-4", "5-9")
)
"""First characters of names that must differ: no two ranges share one."""


class _Free(NamedTuple):
    """Rules of free entries: the `fixed` ones, whose names differ, then `low`–`high` of `item`."""

    fixed: list[str]
    item: str
    low: int
    high: int


def object_rule(compiler: Compiler, node: dict[str, Any], tokens: float) -> str:
    """The rule of a canonical object schema."""
    if extra := set(node) - OBJECT:
        raise Unsupported(min(extra))
    node = _named(node, compiler.document)
    names = _names(compiler, node)
    required = set(node.get("required", ()))
    low = int(node.get("minProperties", 0))
    high = int(node.get("maxProperties", UNBOUNDED))
    wants = {name: estimate(schema) for name, schema in names.items()}
    spare = tokens - sum(KEY + len(name) // 2 for name in names)
    scale = max(spare / (sum(wants.values()) or 1), 1.0)
    entries: list[tuple[str, bool]] = []
    for name, schema in names.items():
        try:
            value = compiler.emit(schema, wants[name] * scale)
        except Impossible:
            if name in required:
                raise
            continue
        entries.append((compiler.lark.rule(f"{literal(name)} {COLON} {value}"), name in required))
    entries = _counted(entries, low, high)
    lacking = max(0, low - sum(needed for _, needed in entries))
    free = _free_entries(compiler, node, tuple(names), lacking, tokens)
    if free is None and lacking:
        raise Impossible("minProperties", f"is {low}, more than there are properties")
    return compiler.lark.rule(_braced(compiler.lark, entries, free, high - len(entries)))


def _names(compiler: Compiler, node: dict[str, Any]) -> dict[str, Any]:
    """The declared properties and their schemas, in the author's order."""
    declared = dict(node.get("properties", {}))
    closed = closed_names(node)
    for name in [*node.get("required", ()), *listed_names(node)]:
        if name not in declared:
            patterns = node.get("patternProperties", {}).items()
            fits = [schema for pattern, schema in patterns if matches(pattern, name)]
            other = node.get("additionalProperties", True)
            declared[name] = merged(fits, compiler.document) if fits else other
    if closed is not None:
        declared = {name: value for name, value in declared.items() if name in closed}
    return dict(sorted(declared.items(), key=lambda pair: compiler.order.get(pair[0], UNBOUNDED)))


def _counted(entries: list[tuple[str, bool]], low: int, high: int) -> list[tuple[str, bool]]:
    """Entries such that any choice of the optional ones keeps to `low` and `high`.

    Narrower than the schema: the first optional ones are demanded, the last ones left out.
    """
    needed = sum(required for _, required in entries)
    if needed > high:
        raise Impossible("maxProperties", f"is {high}, fewer than the required properties")
    room, lacking = high - needed, low - needed
    kept = []
    for rule, required in entries:
        if not required:
            if room <= 0:
                continue
            room -= 1
            lacking -= 1
        kept.append((rule, required or lacking >= 0))
    return kept


def _braced(lark: Lark, entries: list[tuple[str, bool]], free: _Free | None, room: int) -> str:
    """The body: entries in order, each optional unless required, then at most `room` free ones."""
    after = first = ""
    if free is not None and room > 0:
        item, low, high = free.item, free.low, min(free.high, room - len(free.fixed))
        entries = [*entries, *((rule, True) for rule in free.fixed)]
        if high > 0:
            after = repeated(f"{COMMA} {item}", low, high)
            first = f"{item} {repeated(f'{COMMA} {item}', max(0, low - 1), high - 1)}"
            first = first if low else f"({first})?"
    for rule, required in reversed(entries):
        if required:
            first = f"{rule} {after}"
            after = f"{COMMA} {rule} {after}"
        else:
            rest = lark.rule(after) if after.strip() else ""
            first = f"({rule} {rest} | {first})" if first.strip() else f"({rule} {rest})?"
            after = f"({COMMA} {rule})? {rest}"
        if len(first) > LINE:
            first = lark.rule(first)
        if len(after) > LINE:
            after = lark.rule(after)
    return f'"{{" {first} "}}"'


def _free_entries(
    compiler: Compiler, node: dict[str, Any], names: tuple[str, ...], lacking: int, tokens: float
) -> _Free | None:
    """The free entries of an object that declares `names` and lacks so many properties.

    `None` where the schema forbids them, or says nothing of them beside the declared ones.
    """
    maps = [] if closed_names(node) is not None else list(_maps(compiler, node, names, lacking))
    failure = Impossible("additionalProperties", "admits no value")
    options: list[str] = []
    fixed: list[str] = []
    most = 0
    for listed, taken, schema in maps:
        if options and lacking > 1:
            break  # names of one kind can be kept apart
        count = item_bound(tokens, KEY + estimate(schema))
        try:
            value = compiler.emit(schema, max(tokens / count**0.5 - KEY, estimate(schema)))
            *apart, key = _free_keys(compiler.lark, listed, taken, lacking)
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
    return _Free(fixed, item, max(0, lacking - len(fixed)), most)


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


def _free_keys(lark: Lark, names: Any, taken: tuple[str, ...], lacking: int) -> list[str]:
    """Rules of names: `lacking` - 1 that differ from one another, then one for all the rest.

    `names` is the schema of `propertyNames`, one string schema; `taken` are names that are
    declared. A name that comes again is legal JSON and overwrites the first, so only those that
    must count are kept apart.
    """
    bound = Text(1, KEY_LENGTH) if names in (True, {}) else _bounded(names)
    wanted = replace(bound, taken=(*bound.taken, *map(literal, taken)))
    if lacking <= 1:
        return [wanted.rule(lark)]
    for marks in (STARTS, FIRST, LAST):
        apart = text_parts(wanted, marks)
        if len(apart) >= lacking:
            return [part.rule(lark) for part in apart[:lacking]]
    raise Unsupported("minProperties", f"is {lacking} more than the required properties")


def _named(node: dict[str, Any], document: Any) -> dict[str, Any]:
    """An object schema whose `propertyNames` refer to nothing."""
    names = node.get("propertyNames")
    if not isinstance(names, dict) or "$ref" not in json.dumps(names):
        return node
    found = [followed(part, document) for part in names.get("allOf", [names])]
    rest = {word: value for word, value in names.items() if word not in ("allOf", "$ref")}
    return node | {"propertyNames": merged([rest, *found], document)}


def _bounded(names: dict[str, Any]) -> Text:
    if names.get("type", "string") != "string":
        raise Unsupported("propertyNames")
    wanted = text({"type": "string"} | names, KEY_LENGTH)
    return replace(wanted, low=max(wanted.low, min(1, wanted.high)))
