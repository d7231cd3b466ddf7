"""Arrays whose items differ (uniqueItems)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinghe.generation.structure.apart import parts
from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.lark import COMMA

if TYPE_CHECKING:
    from xinghe.generation.structure.compile import Compiler


def distinct_array(
    compiler: Compiler, node: dict[str, Any], items: Any, low: int, high: int, tokens: float
) -> str:
    """The rule of an array whose items are drawn from parts of `items` that share no value.

    Each part is used once; an item has `tokens` to itself.
    """
    if set(node) & {"contains", "prefixItems"}:
        raise Unsupported("uniqueItems")
    kinds = []
    for part in parts(compiler, items):
        try:
            kinds.append(compiler.emit(part, tokens))
        except Impossible:
            continue
    high = min(high, len(kinds))
    if low > high:
        raise Impossible("uniqueItems", f"leaves {len(kinds)} different items, minItems is {low}")
    span = f"[0:{len(kinds)}]"
    more = " | ".join(
        f"{COMMA} {kind} {{name}}::set_bit({bit}) "
        f"%if and(bit_clear({bit}), bit_count_lt({span}, {high}))"
        for bit, kind in enumerate(kinds)
    )
    rest = compiler.lark.rule(f'"" %if bit_count_ge({span}, {low}) | {more}', "::_")
    first = " | ".join(f"{kind} {rest}::{1 << bit}" for bit, kind in enumerate(kinds))
    inner = compiler.lark.rule(first)
    return compiler.lark.rule(f'"[" {inner} "]"' if low else f'"[" {inner}? "]"')
