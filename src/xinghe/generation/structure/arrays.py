"""Arrays: items by position, items of one kind, and items that must be among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xinghe.generation.structure.canonical import merged
from xinghe.generation.structure.distinct import distinct_array
from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.lark import COMMA, repeated
from xinghe.generation.structure.size import comfort, item_bound

if TYPE_CHECKING:
    from xinghe.generation.structure.compile import Compiler

ARRAY = frozenset(
    {
        "type", "items", "additionalItems", "prefixItems", "minItems", "maxItems", "uniqueItems",
        "contains", "minContains", "maxContains",
    }
)  # fmt: skip


def array_rule(compiler: Compiler, node: dict[str, Any], tokens: float) -> str:
    """The rule of a canonical array schema."""
    if extra := set(node) - ARRAY:
        raise Unsupported(min(extra))
    prefix, items = node.get("prefixItems", []), node.get("items", True)
    if isinstance(items, list):  # drafts 4 to 7
        prefix, items = items, node.get("additionalItems", True)
    low = int(node.get("minItems", 0))
    if "contains" in node:
        prefix, items = _containing(compiler, node, prefix, items)
        low = max(low, len(prefix))
    item = comfort(items)
    high = min(
        int(node.get("maxItems", 10**9)),
        max(len(prefix) + item_bound(tokens, item), 2 * low),
    )
    count = max(len(prefix), min(high, int(max(tokens, 1) // (item + 1)) or 1), 1)
    share = max(tokens / count**0.5, item)
    if node.get("uniqueItems") and high > 1:
        if prefix:
            raise Unsupported("uniqueItems")
        return distinct_array(compiler, node, items, low, high, share)
    return _sequence(compiler, prefix, items, low, high, share)


def _containing(
    compiler: Compiler, node: dict[str, Any], prefix: list[Any], items: Any
) -> tuple[list[Any], Any]:
    """The prefix with the contained items behind it, and what may follow them.

    Narrower than the schema, where the contained ones may stand anywhere.
    """
    contained = node["contains"]
    demanded = int(node.get("minContains", 1))
    behind = [merged([items, contained], compiler.document)] * demanded
    if "maxContains" in node:
        other = {"not": contained}
        prefix = [merged([one, other], compiler.document) for one in prefix]
        items = merged([items, other], compiler.document)
    return [*prefix, *behind], items


def _sequence(
    compiler: Compiler, prefix: list[Any], items: Any, low: int, high: int, share: float
) -> str:
    """An array of the fixed `prefix`, then `items`; `low` to `high` in all."""
    parts: list[str] = []
    for position, node in enumerate(prefix[:high]):
        try:
            parts.append(compiler.emit(node, share))
        except Impossible:
            if position < low:
                raise
            high = position
    more = ""
    if high > len(prefix):
        try:
            more = compiler.emit(items, share)
        except Impossible:
            if low > len(prefix):
                raise
            high = len(prefix)
    return compiler.lark.rule(_bracketed(parts[:high], more, low, high))


def _bracketed(parts: Sequence[str], more: str, low: int, high: int) -> str:
    """The body of an array rule: `parts` in order, then `more`, `low` to `high` in all."""
    rest_low, rest_high = max(0, low - len(parts)), high - len(parts)
    if not parts:
        if not more or high == 0:
            return '"[]"'
        inner = f"{more} {repeated(f'{COMMA} {more}', max(0, low - 1), high - 1)}"
        return f'"[" {inner} "]"' if low else f'"[" ({inner})? "]"'
    tail = repeated(f"{COMMA} {more}", rest_low, rest_high) if more and rest_high > 0 else ""
    for position in range(len(parts) - 1, -1, -1):
        part = f"{COMMA} {parts[position]}" if position else parts[position]
        tail = f"{part} {tail}" if position < low else f"({part} {tail})?"
    return f'"[" {tail} "]"'
