"""What the service says of itself, made ready for its pages: read once, kept while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from xinghe.console.calls import Calls
from xinghe.console.reference.shapes import Field, Shape, Shapes
from xinghe.console.reference.told import Told, told

DOCUMENTS = ("/openapi.json", "/auth/v1/openapi.json", "/admin/v1/openapi.json")
WEBHOOKS = "/payments/openapi.json"
"""What payment services send: no operation that a member asks for."""
DIALECTS = {"documented": "/llm/lmapi/v3", "openai": "/v1"}
"""What ends the name of an operation of two dialects, and where each is served."""


class Operation(msgspec.Struct, frozen=True):
    """What is asked by one method at one path, in all its dialects.

    `paths` are those of its dialects, the documented first. `scopes` are those of which a token
    needs one; empty: no token is needed. `session`: that of a sign-in is. `fields` are those of
    the body, parameters first. `answers` and `events` name shapes. `errors` are codes by status.
    """

    name: str
    method: str
    paths: tuple[str, ...]
    summary: str
    told: Told
    scopes: tuple[str, ...]
    session: bool
    fields: tuple[Field, ...]
    about: Told
    answers: tuple[str, ...]
    media: tuple[str, ...]
    events: tuple[str, ...]
    errors: tuple[tuple[str, tuple[str, ...]], ...]
    document: int

    @property
    def parameters(self) -> tuple[Field, ...]:
        return tuple(each for each in self.fields if each.place)

    @property
    def body(self) -> tuple[Field, ...]:
        return tuple(each for each in self.fields if not each.place)


class Contract(msgspec.Struct, frozen=True):
    """All operations by name; the shapes of each document, in the order of `DOCUMENTS`."""

    operations: dict[str, Operation]
    shapes: tuple[dict[str, Shape], ...]

    def reachable(self, operation: Operation) -> list[Field]:
        """The fields of an operation, of its answers, and of all objects in them, each once."""
        shapes = self.shapes[operation.document]
        found = list(operation.fields)
        seen: set[str] = set()
        waiting = [name for each in found for name in each.below]
        waiting += [*operation.answers, *operation.events]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                found += shapes[name].fields
                waiting += [below for each in shapes[name].fields for below in each.below]
        return found


class Source:
    """The contract of a service, read when it is first wanted."""

    def __init__(self) -> None:
        self._read: Contract | None = None

    async def contract(self, api: Calls) -> Contract:
        if self._read is None:
            self._read = read(
                await asyncio.gather(*(api.get(path, dict[str, Any]) for path in DOCUMENTS))
            )
        return self._read


def read(documents: Iterable[Mapping[str, Any]]) -> Contract:
    """The contract as its documents tell it."""
    operations: dict[str, Operation] = {}
    shapes = []
    for number, document in enumerate(documents):
        known = Shapes(document["components"]["schemas"])
        for path, methods in document["paths"].items():
            for method, described in methods.items():
                made = _operation(document, known, number, (method, path), described)
                other = operations.get(made.name)
                operations[made.name] = made if other is None else _merged(other, made)
        shapes.append(known.all)
    return Contract(operations, tuple(shapes))


def _operation(
    document: Mapping[str, Any],
    shapes: Shapes,
    number: int,
    where: tuple[str, str],
    described: Mapping[str, Any],
) -> Operation:
    name, _, dialect = described["operationId"].rpartition(".")
    if dialect not in DIALECTS:
        name = described["operationId"]
    fields = [
        msgspec.structs.replace(
            shapes.field(
                each["name"],
                {"description": each.get("description", ""), **each["schema"]},
                name,
                required=each["required"],
            ),
            place=each["in"],
        )
        for each in described.get("parameters", ())
    ]
    about = told("")
    if body := described.get("requestBody"):
        below = shapes.field("body", body["content"]["application/json"]["schema"], name).below
        for each in below:
            fields += shapes.all[each].fields
            about = shapes.all[each].told
    security = described.get("security", document.get("security", ()))
    answered = described["responses"].get("200", {}).get("content", {})
    answers = shapes.field("200", answered.get("application/json", {}).get("schema", {}), name)
    return Operation(
        name=name,
        method=where[0].upper(),
        paths=(where[1],),
        summary=described["summary"],
        told=told(described.get("description", "")),
        scopes=tuple(scope for each in security for scope in each.get("token", ())),
        session=any("session" in each for each in security),
        fields=tuple(fields),
        about=about,
        answers=answers.below,
        media=tuple(each for each in answered if each != "text/event-stream"),
        events=_events(shapes, answered.get("text/event-stream"), name),
        errors=tuple(
            (status, tuple(each["description"].split(", ")))
            for status, each in sorted(described["responses"].items())
            if status >= "4"
        ),
        document=number,
    )


def _events(shapes: Shapes, streamed: Mapping[str, Any] | None, name: str) -> tuple[str, ...]:
    """The shapes of what a stream's `data` may hold."""
    if streamed is None:
        return ()
    data = streamed["schema"]["properties"]["data"]
    kinds = data.get("anyOf", [data])
    payload = next(each["contentSchema"] for each in kinds if "contentSchema" in each)
    return shapes.field("data", payload, f"{name}.event").below


def _merged(documented: Operation, openai: Operation) -> Operation:
    """One operation of both dialects; a field that differs stands there for each of them."""
    mine = {each.name: each for each in documented.fields}
    yours = {each.name: each for each in openai.fields}
    fields = []
    for name in dict.fromkeys([*mine, *yours]):
        one, other = mine.get(name), yours.get(name)
        if one == other and one is not None:
            fields.append(one)
            continue
        for field, dialect in ((one, "documented"), (other, "openai")):
            if field is not None:
                fields.append(msgspec.structs.replace(field, dialect=DIALECTS[dialect]))
    fields.sort(key=lambda each: (not each.place, not each.required))
    return msgspec.structs.replace(
        documented, paths=documented.paths + openai.paths, fields=tuple(fields)
    )
