"""Arrays of a canonical schema that hold certain items, or items that differ."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

from xinghe.generation.structure.canonical import merged
from xinghe.generation.structure.numbers import rounded
from xinghe.generation.structure.refusals import Impossible

FEW, FEW_ORDERED = 6, 4
"""Values of which all sets are written out, and in any order."""


def containing(
    node: dict[str, Any], prefix: list[Any], items: Any, document: Any
) -> tuple[list[Any], Any]:
    """The prefix with the contained items behind it, and what may follow them.

    Narrower than the schema, where the contained ones may stand anywhere.
    """
    contained = node["contains"]
    demanded = int(node.get("minContains", 1))
    behind = [merged([items, contained], document)] * demanded
    if "maxContains" in node:
        other = {"not": contained}
        prefix = [merged([one, other], document) for one in prefix]
        items = merged([items, other], document)
    return [*prefix, *behind], items


def few_listed(items: Any) -> list[Any]:
    """All values of the items of a set, where they are few."""
    if items == {"type": "boolean"}:
        return [True, False]
    values = items.get("enum", []) if isinstance(items, dict) else []
    return values if len(values) <= FEW and not rounded(values) else []


def sets(values: list[Any], low: int, high: int) -> dict[str, Any]:
    """Arrays of different ones of `values`, in their order where there would be too many."""
    ordered = permutations if len(values) <= FEW_ORDERED else combinations
    sets = [one for size in range(low, high + 1) for one in ordered(values, size)]
    if not sets:
        raise Impossible("uniqueItems", f"leaves {len(values)} different items, minItems is {low}")
    arrays = [
        {
            "type": "array", "items": False, "minItems": len(one), "maxItems": len(one),
            "prefixItems": [{"enum": [value]} for value in one],
        }
        for one in sets
    ]  # fmt: skip
    return {"anyOf": arrays}
