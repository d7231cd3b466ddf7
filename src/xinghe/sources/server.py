"""An OpenAI-compatible server as a source: which models it has, and how long a text they take."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from xinghe.catalog import Kind
from xinghe.outbound import CallFailed, Refused, Server, Unreadable, decoded, origin_of
from xinghe.settings import nearest, shape
from xinghe.sources.draft import UPSTREAM, Draft, Key, Say, believed, in_time
from xinghe.sources.faults import told
from xinghe.sources.source import LONGEST, Endpoint, SourceError, is_name

CONNECT, SILENCE = 5.0, 15.0
"""Seconds."""
MOST = 8 * 1024 * 1024
LISTED = 40
"""Models that are listed in a message."""
CONTEXTS = (
    "max_model_len", "context_length", "context_window", "max_context_length", "max_input_tokens",
)  # fmt: skip
"""What servers call it: vLLM and SGLang, OpenRouter, Groq, Mistral, …"""

Choose = Callable[[Sequence[str]], str]
"""Has one of several models chosen; empty where nobody can be asked."""


class Asking(msgspec.Struct, frozen=True):
    """How servers are asked which models they have, within `limit` seconds each."""

    key: Key
    choose: Choose
    say: Say
    limit: float


class _Limits(msgspec.Struct, frozen=True):
    context: Any = 0


class _ChatLimits(msgspec.Struct, frozen=True):
    effective: _Limits = _Limits()


class _Ours(msgspec.Struct, frozen=True):
    """What another Xinghe tells of a model."""

    kind: Kind = Kind.CHAT
    limits: _ChatLimits = _ChatLimits()


class Offered(msgspec.Struct, frozen=True):
    """A model that a server lists: its context in tokens, 0 if not told, and what another Xinghe
    tells of it. `doubted` is a context that it tells and that no model has.
    """

    context: int = 0
    doubted: str = ""
    ours: _Ours | None = None


class _List(msgspec.Struct):
    data: list[dict[str, Any]]


async def of_endpoint(source: Endpoint, kind: Kind, asking: Asking, *, asked: bool = True) -> Draft:
    """The deployment of a model on a server. Raises `SourceError`.

    Where it need not be `asked`, a server that is away is none the worse, if the model is named.
    """
    url, models = await _known(source, asking, asked=asked)
    name = source.model or _the_one(source, models, asking.choose)
    offered, context = _found(source, name, models, asking.say)
    table: dict[str, Any] = {"engine": UPSTREAM[kind], "url": url, "model": name}
    table |= asking.key.fields
    shown = f"{name} at {source.origin}"
    if source.others:
        table["urls"] = [table.pop("url")]
    for other in source.others:
        server = Endpoint(other, name)
        url, models = await _known(server, asking, asked=asked)
        _, its = _found(server, name, models, asking.say)
        context = min(filter(None, (context, its)), default=0)
        table["urls"].append(url)
        shown += f", {server.origin}"
    if context and kind is not Kind.IMAGE:
        table["context"] = context
    if offered.ours is not None:
        if offered.ours.kind is not kind:
            what = offered.ours.kind.value
            raise SourceError(f"{name} at {source.origin} is no {kind.value} model, but {what}")
        if kind is Kind.IMAGE:
            table["dialect"] = "documented"
    return Draft(table, shown, context)


async def _known(
    source: Endpoint, asking: Asking, *, asked: bool
) -> tuple[str, dict[str, Offered]]:
    """The base URL and the models of a server. Raises `SourceError`."""
    try:
        async with in_time(source.origin, asking.limit):
            url, models = await _models(source, asking.key)
    except SourceError:
        if asked or not source.model:
            raise
        return source.url, {}
    if url != source.url:
        asking.say(f"the base URL is {url.partition('?')[0]}")
    return url, models


def _found(
    source: Endpoint, name: str, models: dict[str, Offered], say: Say
) -> tuple[Offered, int]:
    """What a server says of a model, and its context; a server may have what it does not list."""
    if name not in models and models:
        near = nearest(name, models)
        hint = f"; did you mean {near!r}?" if near else ""
        say(f"{source.origin} does not list {name!r}{hint}")
    offered = models.get(name, Offered())
    if offered.doubted:
        say(
            f"{source.origin} says that {name} takes {offered.doubted} tokens, which is not "
            "believed: --set context=N says how many it takes"
        )
    return offered, offered.context


async def _models(source: Endpoint, key: Key) -> tuple[str, dict[str, Offered]]:
    """The base URL that answers, and the models that it lists.

    Some servers have no list: then there are none.
    """
    parts = urlsplit(source.url)
    bare = not parts.path.strip("/")
    try:
        return source.url, await _listed(source.url, key)
    except CallFailed as error:
        lost = isinstance(error, Refused) and error.status in {404, 405}
        other = bare and (lost or isinstance(error, Unreadable))
        if not other:
            if lost and source.model:
                return source.url, {}
            raise told(error, source.origin, key=secret(key)) from None
    base = urlunsplit(parts._replace(path="/v1"))  # what nearly all have behind their host
    try:
        return base, await _listed(base, key)
    except CallFailed as error:
        raise told(error, source.origin, key=secret(key)) from None


async def _listed(url: str, key: Key) -> dict[str, Offered]:
    server = Server(url, connect=CONNECT, silence=SILENCE, key=key.value, key_env=key.variable)
    try:
        with await server.call("GET", "/models") as answer:
            data = await answer.whole(MOST)
        models = decoded(data, _List).data
    finally:
        await server.aclose()
    found = {each["id"]: _offered(each) for each in models if is_name(each.get("id"))}
    if models and not found:
        raise SourceError(
            f"{origin_of(url)} lists {len(models)} models, and none with a name that can be used, "
            f"allowed: 1 to {LONGEST} printable characters"
        )
    return found


def _offered(model: dict[str, Any]) -> Offered:
    ours = None
    told = [model[name] for name in CONTEXTS if model.get(name) is not None]
    with suppress(KeyError, msgspec.ValidationError):
        ours = msgspec.convert(model["xinghe"], _Ours)
        told.append(ours.limits.effective.context)
    contexts = [context for context in map(believed, told) if context]
    doubted = shape(told[0])[:40] if told and told[0] != 0 and not contexts else ""
    return Offered(contexts[0] if contexts else 0, doubted, ours)


def _the_one(source: Endpoint, models: dict[str, Offered], choose: Choose) -> str:
    if not models:
        raise SourceError(
            f"{source.origin} lists no model; name one: {source.url.partition('?')[0]}#model"
        )
    if len(models) == 1:
        return next(iter(models))
    names = sorted(models)
    if chosen := choose(names):
        return chosen
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    raise SourceError(
        f"{source.origin} has {len(names)} models; name one as "
        f"{source.url.partition('?')[0]}#{names[0]}: {', '.join(names[:LISTED])}{more}"
    )


def secret(key: Key) -> str:
    """The key itself: what no message may hold."""
    return key.value or os.environ.get(key.variable, "").strip()
