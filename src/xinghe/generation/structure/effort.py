"""What a validator would have to do for one value: references may lead it round, or far astray.

A schema of a few lines can say "twice what the next definition says" forty times over. Its
canonical form is small, so a grammar is found at once; the validator takes each of the 2**40
ways, and the answer that was made could never be checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from xinghe.generation.structure.errors import Unguaranteed
from xinghe.generation.structure.locate import VALUES, escaped

STEPS = 20_000
"""Subschemas that one value is held against, all branches and references followed."""
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
LISTS = ("allOf", "anyOf", "oneOf")
SINGLE = ("not", "if", "then", "else")
MAPS = ("dependentSchemas", "dependencies")
ELSEWHERE = VALUES | {"$defs", "definitions"}
"""What no value is held against where it stands."""


def within_effort(schema: Any) -> None:
    """Raise `Unguaranteed` for a valid schema that is too much work for one value, or endless."""
    document = _Document(schema)
    effort: dict[int, int] = {}
    for start in document.reachable():
        if id(start) not in effort:
            _measure(document, start, effort)


def _measure(document: _Document, start: dict[str, Any], effort: dict[int, int]) -> None:
    """The effort of `start` and of all that the same value is held against with it."""
    entered: set[int] = set()
    stack = [start]
    while stack:
        node = stack[-1]
        known = id(node)
        if known in effort:
            stack.pop()
            continue
        parts = list(document.together(node))
        if known not in entered:
            entered.add(known)
            for part, keyword, path in parts:
                if id(part) in entered and id(part) not in effort:
                    raise Unguaranteed(keyword, path, "leads back to itself for the same value")
            stack += [part for part, _, _ in parts if id(part) not in effort]
            continue
        stack.pop()
        effort[known] = 1 + sum(effort[id(part)] for part, _, _ in parts)
        if effort[known] > STEPS:
            raise Unguaranteed("schema", "", f"holds a value against more than {STEPS} subschemas")


class _Document:
    """A schema with its places, its resources (`$id`) and its anchors."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        self._paths: dict[int, str] = {}
        self._bases: dict[int, str] = {}
        self._resources: dict[str, Any] = {"": schema}
        self._anchors: dict[tuple[str, str], Any] = {}
        self._dynamic: dict[str, list[Any]] = defaultdict(list)
        stack: list[tuple[Any, str, str]] = [(schema, "", "")]
        while stack:
            node, path, base = stack.pop()
            if isinstance(node, dict):
                base = self._note(node, path, base)
                stack += [
                    (value, f"{path}/{escaped(name)}", base)
                    for name, value in node.items()
                    if isinstance(value, dict | list) and name not in VALUES
                ]
            else:
                stack += [
                    (item, f"{path}/{number}", base)
                    for number, item in enumerate(node if isinstance(node, list) else ())
                    if isinstance(item, dict | list)
                ]

    def _note(self, node: dict[str, Any], path: str, base: str) -> str:
        for word in ("$id", "id"):
            name = node.get(word)
            if isinstance(name, str):
                absolute, anchor = _split(base, name)
                if absolute != base:
                    base = absolute
                    self._resources[base] = node
                if anchor:
                    self._anchors[base, anchor] = node
        for word in ("$anchor", "$dynamicAnchor"):
            name = node.get(word)
            if isinstance(name, str):
                self._anchors[base, name] = node
                if word == "$dynamicAnchor":
                    self._dynamic[name].append(node)
        self._paths[id(node)], self._bases[id(node)] = path, base
        return base

    def reachable(self) -> Iterator[dict[str, Any]]:
        """The schemas that some value may be held against."""
        seen: set[int] = set()
        stack = [self._root]
        while stack:
            node = stack.pop()
            if isinstance(node, list):
                stack += node
            if not isinstance(node, dict) or id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            stack += [part for part, _, _ in self.together(node)]
            stack += [value for name, value in node.items() if name not in ELSEWHERE]

    def together(self, node: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
        """The schemas that a value is held against beside `node`: each with its keyword's place."""
        path = self._paths.get(id(node), "")
        for word, value in node.items():
            here = f"{path}/{escaped(word)}"
            parts: list[Any] = []
            if word in REFERENCES and isinstance(value, str):
                parts = self._targets(word, value, self._bases.get(id(node), ""))
            elif word in LISTS and isinstance(value, list):
                parts = value
            elif word in SINGLE:
                parts = [value]
            elif word in MAPS and isinstance(value, dict):
                parts = list(value.values())
            for part in parts:
                if isinstance(part, dict):
                    yield part, word, here

    def _targets(self, word: str, reference: str, base: str) -> list[Any]:
        absolute, fragment = _split(base, reference)
        found = self._resources.get(absolute)
        if found is None:
            return []
        if fragment and not fragment.startswith("/"):
            dynamic = self._dynamic.get(fragment) if word == "$dynamicRef" else None
            return dynamic or [self._anchors.get((absolute, fragment))]
        for token in fragment.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(name) if isinstance(found, list) else name]
            except (KeyError, IndexError, ValueError, TypeError):
                return []
        return [found]


def _split(base: str, reference: str) -> tuple[str, str]:
    """The address of a resource and the fragment."""
    try:
        absolute, fragment = urldefrag(urljoin(base, reference))
    except ValueError:
        return reference, ""
    return absolute, unquote(fragment)
