"""How large a schema may be, and how much work a value's check: before anything reads it closely.

A schema of a few lines can say "twice what the next definition says" forty times over. Its
canonical form is small, so a grammar is found at once; the validator takes each of the 2**40
ways, and the answer that was made could never be checked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from xinghe.generation.structure.refusals import (
    NAMED,
    VALUES,
    Unguaranteed,
    escaped,
    pointed,
)

NODES = 6_000
"""Objects, arrays and scalars in all."""
CHARACTERS = 200_000
"""Of all names and strings together."""
LEVELS = 200
"""Where even taking the size ends."""
DEPTH = 48
"""Levels of JSON, so about 20 levels of nested objects (each takes two)."""
NAMES = 400
"""Entries of one object: properties of one schema, say."""
CHOICES = 1_000
"""Entries of one array: values of one enum, say."""
BRANCHES = 120
"""Branches of anyOf, oneOf and allOf in all: their combinations grow fastest."""
CONDITIONS = 12
"""Uses of if and of dependent properties: each doubles the cases."""
PATTERN = 1_000
"""Characters of a regular expression."""
STEPS = 20_000
"""Subschemas that one value is held against, all branches and references followed."""

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
LISTS = ("allOf", "anyOf", "oneOf")
SINGLE = ("not", "if", "then", "else")
MAPS = ("dependentSchemas", "dependencies")
SURE = (*REFERENCES, "allOf")
"""What holds whatever the value is."""
ELSEWHERE = VALUES | {"$defs", "definitions"}
"""What no value is held against where it stands."""

_Node = dict[str, Any]


def sized(schema: Any) -> tuple[int, int]:
    """The values and the characters of a schema: all that the gateway itself looks at.

    Raises `Unguaranteed` at the first too many.
    """
    seen = characters = 0
    level: list[Any] = [schema]
    for _ in range(LEVELS):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
                characters += sum(map(len, value))
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                characters += len(value)
            if seen + len(below) > NODES:
                raise Unguaranteed("schema", "", f"has more than {NODES} values in all")
            if characters > CHARACTERS:
                raise Unguaranteed("schema", "", f"has more than {CHARACTERS} characters in all")
        seen += len(level)
        level = below
        if not level:
            return seen, characters
    raise Unguaranteed("schema", "", f"is nested more than {LEVELS} levels deep")


def within_limits(schema: Any) -> None:
    """Raise `Unguaranteed` for a schema, already `sized`, that is too deep or too branched."""
    branches = conditions = 0
    for keyword, path, value, depth in _values(schema):
        if depth > DEPTH:
            raise Unguaranteed(keyword, path, f"is nested more than {DEPTH} levels deep")
        most = NAMES if isinstance(value, dict) else CHOICES
        if isinstance(value, dict | list) and len(value) > most:
            raise Unguaranteed(keyword, path, f"has {len(value)} entries, at most {most}")
        if isinstance(value, list) and keyword in LISTS:
            branches += len(value)
        elif isinstance(value, dict):
            dependent = keyword in ("dependentRequired", *MAPS)
            conditions += (len(value) if dependent else 0) + ("if" in value)
        elif isinstance(value, str) and keyword == "pattern" and len(value) > PATTERN:
            raise Unguaranteed(keyword, path, f"is longer than {PATTERN} characters")
        if branches > BRANCHES:
            raise Unguaranteed("schema", "", f"has more than {BRANCHES} branches in all")
        if conditions > CONDITIONS:
            raise Unguaranteed("schema", "", f"has more than {CONDITIONS} conditions in all")


def _values(schema: Any) -> Iterator[tuple[str, str, Any, int]]:
    """Every value with the keyword that it stands under, its path and its depth."""
    stack: list[tuple[str, str, Any, int]] = [("schema", "", schema, 1)]
    while stack:
        keyword, path, value, depth = stack.pop()
        yield keyword, path, value, depth
        if isinstance(value, dict):
            for name, item in value.items():
                stack.append((name, f"{path}/{escaped(name)}", item, depth + 1))
        elif isinstance(value, list):
            stack.extend((keyword, f"{path}/{i}", item, depth + 1) for i, item in enumerate(value))


def within_effort(schema: Any) -> None:
    """Raise `Unguaranteed` for a valid schema that is too much work for one value, or endless."""
    document = _Document(schema)
    effort: dict[int, int] = {}
    ways: dict[int, Counter[str]] = {}
    reachable = list(document.reachable())
    for start in reachable:
        _measure(document, start, effort)
    for start in reachable:
        _measure_parts(document, start, effort, ways)


def _measure(document: _Document, start: _Node, effort: dict[int, int]) -> None:
    """The effort of `start` and of all that the same value is held against with it."""

    def beside(node: _Node, entered: set[int]) -> Iterator[_Node]:
        for part, keyword, path in document.together(node):
            if id(part) in entered and id(part) not in effort:
                raise Unguaranteed(keyword, path, "leads back to itself for the same value")
            yield part

    for node in _inside_out(start, beside, effort):
        parts = [effort[id(part)] for part, _, _ in document.together(node)]
        effort[id(node)] = _bounded(1 + sum(parts))


def _measure_parts(
    document: _Document, start: _Node, effort: dict[int, int], ways: dict[int, Counter[str]]
) -> None:
    """What each part of a value is held against: twice as much where its schema says it twice.

    Only what surely applies counts, and what leads back to itself once: grammars end recursion.
    """

    def sure(node: _Node) -> Iterator[_Node]:
        return (part for part, word, _ in document.together(node) if word in SURE)

    def applied(node: _Node, entered: set[int]) -> Iterator[_Node]:
        parts = chain(sure(node), (part for _, part in document.below(node)))
        return (part for part in parts if id(part) not in entered)

    for node in _inside_out(start, applied, ways):
        found = Counter[str]()
        for part in sure(node):
            found.update(ways.get(id(part), {}))
        for name, part in document.below(node):
            found[name] += max([effort[id(part)], *ways.get(id(part), {}).values()])
        ways[id(node)] = found
        _bounded(max(found.values(), default=0))


def _inside_out(
    start: _Node, parts: Callable[[_Node, set[int]], Iterable[_Node]], done: Container[int]
) -> Iterator[_Node]:
    """`start` and what its `parts` lead to that is not `done`, each after its own parts.

    It is done when the next is asked for; `parts` is told which have been entered.
    """
    entered: set[int] = set()
    stack = [start]
    while stack:
        node = stack[-1]
        if id(node) in done:
            stack.pop()
        elif id(node) in entered:
            stack.pop()
            yield node
        else:
            entered.add(id(node))
            stack += list(parts(node, entered))


def _bounded(steps: int) -> int:
    if steps > STEPS:
        raise Unguaranteed("schema", "", f"holds a value against more than {STEPS} subschemas")
    return steps


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
            if not isinstance(node, dict) or id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            stack += [part for part, _, _ in self.together(node)]
            stack += [part for _, part in self.below(node)]

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

    def below(self, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The schemas that parts of a value are held against: each with what the part is called."""
        for word, value in node.items():
            if word in ELSEWHERE or word in (*REFERENCES, *LISTS, *SINGLE, *MAPS):
                continue
            parts: Any = [("", value)]
            if isinstance(value, list):
                parts = enumerate(value)
            elif word in NAMED and isinstance(value, dict):
                parts = value.items()
            for name, part in parts:
                if isinstance(part, dict):
                    yield f"{word}/{name}", part

    def _targets(self, word: str, reference: str, base: str) -> list[Any]:
        absolute, fragment = _split(base, reference)
        found = self._resources.get(absolute)
        if found is None:
            return []
        if fragment and not fragment.startswith("/"):
            dynamic = self._dynamic.get(fragment) if word == "$dynamicRef" else None
            return dynamic or [self._anchors.get((absolute, fragment))]
        return [pointed(fragment, found)]


def _split(base: str, reference: str) -> tuple[str, str]:
    """The address of a resource and the fragment."""
    try:
        absolute, fragment = urldefrag(urljoin(base, reference))
    except ValueError:
        return reference, ""
    return absolute, unquote(fragment)
