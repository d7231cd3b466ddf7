"""The items of a kept conversation up to one of its responses, page by page."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.api.errors import refuse
from xinghe.api.query import Query
from xinghe.api.responses.answer import InputItemList, TextSaid
from xinghe.api.responses.items import Item, items_of
from xinghe.kept_responses import KeptResponse

PARTS = {"assistant": "output_text"}
"""What a text is called in a message of a role; in others it is `input_text`."""
PREFIXES = {"function_call": "fc", "custom_tool_call": "ctc", "reasoning": "rs"}
"""What the id of an item begins with; that of a message with `msg`."""
EMPTY: dict[str, dict[str, Any]] = {
    "reasoning": {"summary": []},
    "function_call": {"arguments": ""},
}
"""What an item of a kind always holds."""
LONGEST = 200
"""Characters of an id."""
WITH_STATUS = {"message", "function_call", "function_call_output"}
Entry = tuple[str, Item | dict[str, Any]]
"""An item by its id: one that was sent, or, as it is shown, one that was answered."""
_built = msgspec.to_builtins


class InputItemsQuery(msgspec.Struct, kw_only=True):
    """`include` is passed over: all that is kept is shown."""

    order: Annotated[
        Literal["asc", "desc"],
        Meta(description="次序，默认新的在前。 The order; the newest come first unless it is asc."),
    ] = "desc"
    limit: Annotated[int, Meta(ge=1, le=100, description="一页几项。 Items of a page.")] = 20
    after: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST,
                description="上一页最后一项的 id。 The id of the last item of the page before.",
            ),
        ]
        | None
    ) = None


QUERY = Query(InputItemsQuery, lenient=True)


def page(items: Sequence[Entry], query: InputItemsQuery) -> InputItemList:
    """Those that were asked for. Raises `ApiError`."""
    ordered = list(items) if query.order == "asc" else list(items)[::-1]
    if query.after is not None:
        ids = [name for name, _ in ordered]
        if query.after not in ids:
            raise refuse("after", query.after, "the id of one of these items")
        ordered = ordered[ids.index(query.after) + 1 :]
    asked, more = ordered[: query.limit], len(ordered) > query.limit
    shown = [_shown(*each) for each in asked]
    first, last = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    return InputItemList("list", shown, first, last, more)


async def conversation(before: Sequence[KeptResponse], kept: KeptResponse) -> list[Entry]:
    """What a response was asked: all that it goes on from, and what was sent with it."""
    entries: dict[str, Item | dict[str, Any]] = {}
    for each in before:
        _add(entries, each)
        output: list[dict[str, Any]] = msgspec.json.decode(each.response)["output"]
        entries |= {item["id"]: item for item in output}
        await asyncio.sleep(0)
    _add(entries, kept)
    return list(entries.items())


def _add(entries: dict[str, Item | dict[str, Any]], kept: KeptResponse) -> None:
    """The items of one request by their ids: its own, if none before has it, or one by its place.

    Two with one id would have a client that reads page by page go round in circles.
    """
    own = kept.name.removeprefix("resp_")
    for at, item in enumerate(items_of(kept.input)):
        name = item.id or ""
        if not 0 < len(name) <= LONGEST or name in entries:
            prefix = "msg" if item.kind == "message" else PREFIXES.get(item.kind, "item")
            name = f"{prefix}_{own}in{at}"
        entries[name] = item


def _shown(name: str, item: Item | dict[str, Any]) -> dict[str, Any]:
    if isinstance(item, dict):
        return item
    kind = item.kind
    found: dict[str, Any] = _built(item)
    shown = {"type": kind, **EMPTY.get(kind, {}), **found, "id": name}
    if kind in WITH_STATUS:
        shown["status"] = "completed"
    if kind == "message":
        role = shown.setdefault("role", "user")
        content = item.content or ""
        parts = (
            [{"type": "text", "text": content}] if isinstance(content, str) else found["content"]
        )
        shown["content"] = [_part(each, PARTS.get(role, "input_text")) for each in parts]
    return shown


def _part(part: dict[str, Any], text: str) -> dict[str, Any]:
    if part["type"] == "input_image":
        return {**part, "detail": part["detail"] or "auto"}
    if part["type"] not in {"text", "input_text", "output_text"}:
        return part
    if text == "output_text":
        said: dict[str, Any] = _built(TextSaid(part["text"]))
        return said
    return {"type": text, "text": part["text"]}
