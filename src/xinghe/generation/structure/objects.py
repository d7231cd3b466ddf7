"""Objects: declared properties in the author's order, then free ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from xinghe.generation.structure.canonical import merged
from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.keys import free_keys
from xinghe.generation.structure.lark import COLON, COMMA, literal, repeated
from xinghe.generation.structure.size import FEWEST, KEY, comfort, item_bound

if TYPE_CHECKING:
    from xinghe.generation.structure.compile import Compiler

OBJECT = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "patternProperties",
        "propertyNames", "minProperties", "maxProperties",
    }
)  # fmt: skip


def object_rule(compiler: Compiler, node: dict[str, Any], tokens: float) -> str:
    """The rule of a canonical object schema."""
    if extra := set(node) - OBJECT:
        raise Unsupported(min(extra))
    names = _names(compiler, node)
    required = set(node.get("required", ()))
    low = int(node.get("minProperties", 0))
    high = int(node.get("maxProperties", 10**9))
    spare = tokens - sum(KEY + len(name) // 2 for name in names)
    wants = {name: comfort(schema) for name, schema in names.items()}
    scale = max(spare / (sum(wants.values()) or 1), 1.0)
    entries: list[tuple[str, str, bool]] = []
    for name, schema in names.items():
        try:
            value = compiler.emit(schema, wants[name] * scale)
        except Impossible:
            if name in required:
                raise
            continue
        entries.append(
            (name, compiler.lark.rule(f"{literal(name)} {COLON} {value}"), name in required)
        )
    entries = _counted(entries, low, high)
    free = _free(compiler, node, names, entries, tokens)
    more_low = max(0, low - len([entry for entry in entries if entry[2]]))
    if free is None:
        if more_low:
            raise Impossible("minProperties", f"is {low}, more than there are properties")
        return compiler.lark.rule(_braced(compiler, entries, "", 0, 0))
    keys, value = free
    most = min(
        high - len(entries), max(item_bound(tokens, KEY + comfort(value)), more_low + FEWEST)
    )
    return _with_free(compiler, entries, keys, value, more_low, most, tokens)


def _names(compiler: Compiler, node: dict[str, Any]) -> dict[str, Any]:
    """The declared properties and their schemas, in the author's order."""
    declared = dict(node.get("properties", {}))
    listed = node.get("propertyNames", {})
    closed = (
        listed.get("enum", [listed["const"]] if "const" in listed else None)
        if isinstance(listed, dict)
        else None
    )
    other = node.get("additionalProperties", True)
    for name in [*node.get("required", ()), *(closed or ())]:
        if name not in declared:
            fits = [
                schema
                for pattern, schema in node.get("patternProperties", {}).items()
                if re.search(pattern, name)
            ]
            declared[name] = merged(fits, compiler.document) if fits else other
    if closed is not None:
        declared = {name: value for name, value in declared.items() if name in closed}
    return dict(sorted(declared.items(), key=lambda pair: compiler.order.get(pair[0], 10**6)))


def _counted(
    entries: list[tuple[str, str, bool]], low: int, high: int
) -> list[tuple[str, str, bool]]:
    """Entries such that any choice of the optional ones keeps to `low` and `high`.

    Narrower than the schema: the first optional ones are demanded, the last ones left out.
    """
    needed = sum(required for *_, required in entries)
    if needed > high:
        raise Impossible("maxProperties", f"is {high}, fewer than the required properties")
    room, lacking = high - needed, low - needed
    kept = []
    for name, rule, required in entries:
        if not required:
            if room <= 0:
                continue
            room -= 1
            if lacking > 0:
                required, lacking = True, lacking - 1  # noqa: PLW2901
        kept.append((name, rule, required))
    return kept


def _free(
    compiler: Compiler,
    node: dict[str, Any],
    names: dict[str, Any],
    entries: list[tuple[str, str, bool]],
    tokens: float,
) -> tuple[list[str], Any] | None:
    """Keys for properties beyond the declared ones, and the schema of their values.

    The first keys are for entries that must differ, the last one for all others. `None` where
    the schema forbids them, or says nothing of them beside the declared ones.
    """
    listed = node.get("propertyNames", {})
    if isinstance(listed, dict) and ("enum" in listed or "const" in listed):
        return None
    patterns = node.get("patternProperties", {})
    other = node.get("additionalProperties", True)
    lacking = int(node.get("minProperties", 0)) - sum(required for *_, required in entries)
    if patterns:
        taken = [name for name in names if any(re.search(p, name) for p in patterns)]
        if taken:
            return None
        both = merged(list(patterns.values()), compiler.document) if len(patterns) > 1 else None
        pattern, value = next(iter(patterns.items()))
        value = value if both is None else both
        if value is False:
            raise Unsupported("patternProperties")
        listed = {
            "allOf": [part for part in (listed, {"pattern": pattern}) if part not in ({}, True)]
        }
        listed["type"] = "string"
        return free_keys(compiler.lark, merged([listed], compiler.document), (), lacking), value
    if other is False or (names and "additionalProperties" not in node and lacking <= 0):
        return None
    return free_keys(compiler.lark, listed, tuple(names), lacking), other


def _with_free(
    compiler: Compiler,
    entries: list[tuple[str, str, bool]],
    keys: list[str],
    value: Any,
    low: int,
    high: int,
    tokens: float,
) -> str:
    share = max(tokens / (max(high, 1) ** 0.5) - KEY, comfort(value))
    try:
        inner = compiler.emit(value, share)
    except Impossible:
        if low:
            raise
        return compiler.lark.rule(_braced(compiler, entries, "", 0, 0))
    fixed = [("", compiler.lark.rule(f"{key} {COLON} {inner}"), True) for key in keys[:-1]]
    item = compiler.lark.rule(f"{keys[-1]} {COLON} {inner}")
    done = len(fixed)
    if low > done + 1:
        raise Unsupported("minProperties", f"is more than {done + 1}")
    return compiler.lark.rule(
        _braced(compiler, [*entries, *fixed], item, max(0, low - done), high - done)
    )


def _braced(
    compiler: Compiler, entries: list[tuple[str, str, bool]], item: str, low: int, high: int
) -> str:
    """The body: entries in order, each optional unless required, then `low`–`high` of `item`."""
    after = repeated(f"{COMMA} {item}", low, high) if item and high > 0 else ""
    first = ""
    if item and high > 0:
        first = f"{item} {repeated(f'{COMMA} {item}', max(0, low - 1), high - 1)}"
        first = first if low else f"({first})?"
    for _, rule, required in reversed(entries):
        if required:
            first = f"{rule} {after}"
            after = f"{COMMA} {rule} {after}"
        else:
            rest = compiler.lark.rule(after) if after.strip() else ""
            first = f"({rule} {rest} | {first})" if first.strip() else f"({rule} {rest})?"
            after = f"({COMMA} {rule})? {rest}"
        if len(first) > 400:
            first = compiler.lark.rule(first)
    return f'"{{" {first} "}}"'
