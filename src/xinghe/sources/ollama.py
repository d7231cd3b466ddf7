"""The Ollama that runs here as a source, by its own API beside the OpenAI-compatible one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from xinghe.catalog import Kind
from xinghe.outbound import CallFailed, Refused, Server, decoded
from xinghe.settings import nearest, shape
from xinghe.sources.draft import UPSTREAM, Draft, Say, believed, in_time
from xinghe.sources.faults import told
from xinghe.sources.server import CONNECT, LISTED, MOST, SILENCE
from xinghe.sources.source import Ollama, SourceError, is_name

T = TypeVar("T")
PORT = 11434
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what it may listen on
OF_KIND = {Kind.CHAT: "completion", Kind.EMBEDDING: "embedding"}
"""What Ollama calls the capability that a model of each kind needs."""


class _Model(msgspec.Struct):
    name: str = ""
    model: str = ""
    context_length: int = 0


class _Models(msgspec.Struct):
    models: list[_Model] = []


class _Shown(msgspec.Struct):
    parameters: str = ""
    model_info: dict[str, Any] = {}
    capabilities: list[str] | None = None


def address(environ: Mapping[str, str] = os.environ) -> str:
    """Where it listens, as `OLLAMA_HOST` says. Raises `SourceError`."""
    text = environ.get("OLLAMA_HOST", "").strip(" \t\"'") or "127.0.0.1"
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError:
        host, port = "", None
    if scheme not in {"http", "https"} or not host or "@" in rest:
        raise SourceError(
            f"OLLAMA_HOST is {text.rpartition('@')[2]!r}, allowed: host, host:port, "
            "http(s)://host:port"
        )
    host = EVERYWHERE.get(host, host)
    usual = {"http": 80, "https": 443}[scheme] if separator else PORT
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port or usual}{parts.path.rstrip('/')}"


async def of_ollama(source: Ollama, kind: Kind, say: Say, limit: float) -> Draft:
    """The deployment of one of its models, asked within `limit` seconds. Raises `SourceError`."""
    if kind is Kind.IMAGE:
        raise SourceError(
            "Ollama makes no images, allowed for an image model: a folder or .safetensors file, "
            "modelscope:owner/repo, huggingface:owner/repo, http(s)://host/v1[#model]"
        )
    base = address()
    async with in_time(base, limit):
        shown = await _show(base, source.name)
    can = set(shown.capabilities or [OF_KIND[kind]])
    if OF_KIND[kind] not in can:
        raise SourceError(
            f"{source.name} of Ollama is no {kind.value} model: it can {', '.join(sorted(can))}"
        )
    table: dict[str, Any] = {
        "engine": UPSTREAM[kind],
        "url": f"{base}/v1",
        "model": source.name,
    }
    told = _context(shown)
    context = believed(told)
    if context:
        table["context"] = context
    elif told:
        say(f"Ollama says that {source.name} takes {shape(told)} tokens, which is not believed")
    if kind is Kind.CHAT and shown.capabilities is not None:
        able = {"tools": "tools", "thinks": "thinking", "vision": "vision"}
        table |= {field: name in can for field, name in able.items()}
    return Draft(table, f"{source.name} of Ollama at {base}", context)


async def loaded_context(base: str, model: str, limit: float) -> int:
    """The context that Ollama gives a model which is loaded; 0 where it does not tell."""
    try:
        async with in_time(base, limit):
            running = await _ask(base, "GET", "/api/ps", None, _Models)
    except (CallFailed, SourceError):
        return 0
    told = (each.context_length for each in running.models if _same(model, each.name or each.model))
    return believed(next(told, 0))


async def _show(base: str, name: str) -> _Shown:
    try:
        return await _ask(base, "POST", "/api/show", {"model": name}, _Shown)
    except Refused as refused:
        if refused.status not in {400, 404}:
            raise told(refused, base, name) from None
    except CallFailed as error:
        raise SourceError(
            f"{told(error, base)}; is Ollama running? OLLAMA_HOST says where, else it is "
            f"127.0.0.1:{PORT}"
        ) from None
    try:
        here = await _ask(base, "GET", "/api/tags", None, _Models)
    except CallFailed as error:
        raise told(error, base, name) from None
    names = [each.name or each.model for each in here.models]
    names = [each for each in names if is_name(each)]
    near = nearest(name, names)
    hint = f"did you mean {near!r}? " if near else ""
    has = ", ".join(names[:LISTED]) or "none"
    raise SourceError(
        f"Ollama at {base} has no model {name!r}; {hint}it has: {has}; "
        f"`ollama pull {name}` brings it"
    )


async def _ask(base: str, method: str, path: str, body: object, kind: type[T]) -> T:
    server = Server(base, connect=CONNECT, silence=SILENCE)
    try:
        with await server.call(method, path, body) as answer:
            return decoded(await answer.whole(MOST), kind)
    finally:
        await server.aclose()


def _context(shown: _Shown) -> object:
    """What the model is set to, else what it was trained for, as it is told."""
    if asked := re.search(r"^num_ctx\s+(\d{1,18})\s*$", shown.parameters, re.MULTILINE):
        return int(asked[1])
    architecture = shown.model_info.get("general.architecture")
    return shown.model_info.get(f"{architecture}.context_length")


def _same(asked: str, found: str) -> bool:
    return found in {asked, f"{asked}:latest"}
