"""Objects: declared properties in the author's order, then free ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinghe.generation.structure.canonical import matches, merged
from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.free import Free, free_entries
from xinghe.generation.structure.keys import constants, named
from xinghe.generation.structure.lark import COLON, COMMA, Lark, literal, repeated
from xinghe.generation.structure.size import KEY, comfort

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


def object_rule(compiler: Compiler, node: dict[str, Any], tokens: float) -> str:
    """The rule of a canonical object schema."""
    if extra := set(node) - OBJECT:
        raise Unsupported(min(extra))
    node = named(node, compiler.document)
    names = _names(compiler, node)
    required = set(node.get("required", ()))
    low = int(node.get("minProperties", 0))
    high = int(node.get("maxProperties", UNBOUNDED))
    wants = {name: comfort(schema) for name, schema in names.items()}
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
    free = free_entries(compiler, node, tuple(names), lacking, tokens)
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


def closed_names(node: dict[str, Any]) -> list[str] | None:
    """All names that an object may use, where they are listed."""
    names = node.get("propertyNames", True)
    if not isinstance(names, dict) or not constants(names):
        return [] if names is False else None
    return listed_names(node)


def listed_names(node: dict[str, Any]) -> list[str]:
    """All names that an object's `propertyNames` list, beside others or not."""
    names = node.get("propertyNames", True)
    branches = names.get("anyOf", [names]) if isinstance(names, dict) else []
    lists = [branch.get("enum", [branch.get("const")]) for branch in branches if constants(branch)]
    return [name for one in lists for name in one]


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


def _braced(lark: Lark, entries: list[tuple[str, bool]], free: Free | None, room: int) -> str:
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
