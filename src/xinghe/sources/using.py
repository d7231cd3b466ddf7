"""From a source to a change of the configuration: drafted, named, checked, tried; not applied."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from xinghe.catalog import (
    Catalog,
    DiffusersDeployment,
    Kind,
    LlamaCppDeployment,
    ModelCard,
    Tree,
    UpstreamDeployment,
    UpstreamImagesDeployment,
)
from xinghe.configuration.merging import patched
from xinghe.engines.llamacpp.admission import with_spare
from xinghe.outbound import CallFailed
from xinghe.settings import Settings
from xinghe.sources.draft import Draft, Key, Say
from xinghe.sources.faults import KeyWanted, told
from xinghe.sources.memory import fits, require_memory
from xinghe.sources.ollama import address, loaded_context, of_ollama
from xinghe.sources.server import Choose, of_endpoint, secret
from xinghe.sources.source import (
    Endpoint,
    File,
    Known,
    Ollama,
    Repository,
    Source,
    SourceError,
    origin_of,
)
from xinghe.sources.trial import Trial, try_embedder, try_images, try_llamacpp, try_upstream
from xinghe.sources.undoing import tidy, unknown, users
from xinghe.sources.weights import of_file, of_known, of_repository
from xinghe.weights import Progress, local_file
from xinghe.weights import resolve as resolve_weight

Built = Callable[[Tree], Catalog]
"""The catalog of an operator's tree. Raises `CatalogError`."""
AskKey = Callable[[str], str]
"""Asks for the key of what is named; empty where nobody can be asked."""

LIMIT, LIMIT_OF_IMAGES = 60.0, 600.0
"""Seconds that a trial may take."""
LEAST_CONTEXT = 1024
"""Tokens below which no smaller context is advised."""
SIZES = {"context": 32768, "output": 8192, "answer": 2048}
"""Of a new model, in tokens, where its source says no less."""


class Options(msgspec.Struct):
    """How a source is used. `fields` are set in the deployment's table beside what was learnt.

    `limit` is in seconds, `None` the usual. `new`: the model may be one that there is not yet.
    """

    key: Key = Key()
    fields: dict[str, Any] = {}
    attempt: bool = True
    limit: float | None = None
    new: Kind | None = None


class Desk(msgspec.Struct, frozen=True):
    """What is needed beside the operator's wish: his settings, and ways to speak with him."""

    settings: Settings
    built: Built
    say: Say
    choose: Choose
    ask_key: AskKey
    progress: Progress


class Use(msgspec.Struct):
    """A change that may be applied: a JSON merge patch of the operator's tree.

    `deployment` is the name of the one that the model has then; `shared`, that it was there;
    `gone` that of the one that is taken out.
    """

    patch: Tree
    deployment: str
    spec: msgspec.Struct
    table: dict[str, Any]
    shown: str
    shared: bool
    trial: Trial | None
    gone: str = ""


async def use(
    desk: Desk, tree: Tree, file: Tree, model: str, source: Source, options: Options
) -> Use:
    """What `model` served by `source` comes to. Raises `SourceError`, `CatalogError`.

    `tree` is what is applied; `file` is what was written by hand of it, and stays.
    """
    catalog = desk.built(tree)
    card = catalog.models.get(model)
    if card is None and options.new is None:
        raise SourceError(unknown(model, catalog))
    kind = card.kind if card else options.new
    assert kind is not None
    variable = options.key.variable if options.attempt else ""
    if variable and not os.environ.get(variable, "").strip():
        raise SourceError(
            f"the variable {variable} is empty or not set here; the key is read there"
        )
    while True:
        try:
            name = _name(catalog, tree, file, model)
            found = await _used(desk, tree, catalog, model, card, kind, name, source, options)
            found.gone = tidy(found.patch, tree, file, catalog, model, found.deployment)
            return found
        except KeyWanted as wanted:
            if options.key.fields or not isinstance(source, Endpoint):
                raise
            value = desk.ask_key(f"{wanted}\nKey of {source.origin}").strip()
            if not value:
                raise
            options.key = Key(value=value)


async def _used(
    desk: Desk,
    tree: Tree,
    catalog: Catalog,
    model: str,
    card: ModelCard | None,
    kind: Kind,
    name: str,
    source: Source,
    options: Options,
) -> Use:
    draft = await _drafted(desk, kind, source, card.max_input if card else 0, options)
    draft.table |= options.fields
    change = _change(tree, model, card, kind, name, draft)
    candidate = desk.built(patched(tree, change))
    trial = None
    if options.attempt:
        desk.say(f"trying {draft.shown} …")
        trial = await _tried(desk, candidate, name, kind, source, draft, options)
        if trial.adapted:
            draft.table |= trial.adapted
            change = _change(tree, model, card, kind, name, draft)
            candidate = desk.built(patched(tree, change))
    twin = _twin(catalog, candidate, kind, name)
    if twin:
        change = {"models": {model: {**change["models"][model], "deployment": twin}}}
    spec = _of_kind(catalog, kind)[twin] if twin else _of_kind(candidate, kind)[name]
    return Use(change, twin or name, spec, draft.table, draft.shown, bool(twin), trial)


async def _drafted(desk: Desk, kind: Kind, source: Source, most: int, options: Options) -> Draft:
    settings = desk.settings
    if not isinstance(source, Endpoint) and options.key.fields:
        raise SourceError("a key is for http(s)://host/v1 alone: leave --key-env and --ask-key out")
    match source:
        case Endpoint():
            return await of_endpoint(
                source, kind, options.key, desk.choose, desk.say, asked=options.attempt
            )
        case Ollama():
            return await of_ollama(source, kind)
        case Repository():
            return await of_repository(source, kind, settings, most, desk.progress, desk.say)
        case Known():
            return await of_known(source, kind, settings, most, desk.progress)
        case File():
            return await of_file(source, kind, settings, most)


async def _tried(
    desk: Desk,
    candidate: Catalog,
    name: str,
    kind: Kind,
    source: Source,
    draft: Draft,
    options: Options,
) -> Trial:
    spec = _of_kind(candidate, kind)[name]
    if not isinstance(source, Endpoint):
        trial = await _tried_one(desk, spec, name, draft.shown, draft, options)
        if isinstance(source, Ollama) and "context" not in options.fields:
            found = await loaded_context(address(), source.name)
            if found and found != draft.table.get("context"):
                desk.say(f"Ollama has loaded it with a context of {found} tokens")
                trial.adapted["context"] = found
        return trial
    urls: list[str] = draft.table.get("urls") or [draft.table["url"]]
    trials: list[Trial] = []
    for url in urls:
        one = replace(spec, url=url, urls=())
        trials.append(await _tried_one(desk, one, name, origin_of(url), draft, options))
        if len(urls) > 1:
            desk.say(f"{origin_of(url)}: {trials[-1].text}")
    return trials[0]


async def _tried_one(
    desk: Desk, spec: Any, name: str, origin: str, draft: Draft, options: Options
) -> Trial:
    """Raises `SourceError`."""
    settings, key = desk.settings, secret(options.key)
    limit = options.limit or LIMIT
    try:
        match spec:
            case UpstreamDeployment():
                return await try_upstream(name, spec, origin, key, limit)
            case LlamaCppDeployment():
                return await _tried_file(name, spec, draft, settings, limit)
            case DiffusersDeployment() | UpstreamImagesDeployment():
                return await try_images(name, spec, settings, options.limit or LIMIT_OF_IMAGES)
            case _:
                return await try_embedder(name, spec, settings, limit)
    except CallFailed as error:
        raise told(error, origin, str(draft.table.get("model", "")), key) from None


async def _tried_file(
    name: str, spec: LlamaCppDeployment, draft: Draft, settings: Settings, limit: float
) -> Trial:
    assert draft.gguf is not None
    gguf, context = draft.gguf, spec.context

    def cache(tokens: int) -> int:
        return gguf.cache_bytes(with_spare(spec.slots, tokens)[1])

    while context >= LEAST_CONTEXT and not fits(gguf.size, cache(context)):
        context //= 2
    hint = f"; --set context={context} fits" if context >= LEAST_CONTEXT else ""
    require_memory(draft.shown, gguf.size, cache(spec.context), hint=hint)
    return await try_llamacpp(name, spec, gguf.files[0], settings, limit)


def _change(
    tree: Tree, model: str, card: ModelCard | None, kind: Kind, name: str, draft: Draft
) -> Tree:
    """The merge patch; a table that is there under that name is replaced as a whole."""
    old = tree.get("deployments", {}).get(name, {})
    table = {**dict.fromkeys(old), **draft.table}
    fields: dict[str, Any] = {"deployment": name}
    if card is None:
        fields |= _new_card(kind, draft)
    return {"deployments": {name: table}, "models": {model: fields}}


def _new_card(kind: Kind, draft: Draft) -> dict[str, Any]:
    """The card of a model that there was not: what its source says, and cautious sizes."""
    card: dict[str, Any] = {"kind": kind.value}
    if kind is Kind.EMBEDDING:
        most = draft.context or 512
        return card | {"max_input": most, "max_characters": 4 * most, "max_texts": 16}
    if kind is Kind.IMAGE:
        return card | {"image_tokens": 20_000}
    context = draft.context or SIZES["context"]
    output = max(2, min(SIZES["output"], context // 2))
    able = ["web_search", "json_object", "json_schema"]
    able += ["tools"] if draft.table.get("tools", True) else []
    able += ["images"] if draft.table.get("vision") else []
    return card | {
        "context": context,
        "max_input": context,
        "output_max": output,
        "output_default": min(SIZES["answer"], output),
        "capabilities": able,
    }


def _name(catalog: Catalog, tree: Tree, file: Tree, model: str) -> str:
    """What the deployment is called: as the model, unless others have that one too, or a file says
    it.
    """
    at = 1
    while True:
        name = model if at == 1 else f"{model}-{at}"
        used = users(catalog, name)
        made = used == {model} or (not used and name not in tree.get("deployments", {}))
        if made and name not in file.get("deployments", {}):
            return name
        at += 1


def _twin(catalog: Catalog, candidate: Catalog, kind: Kind, name: str) -> str | None:
    """A deployment that is already there and just the same: both models share it."""
    made = _alike(_of_kind(candidate, kind)[name])
    others = {each: spec for each, spec in _of_kind(catalog, kind).items() if each != name}
    return next((each for each, spec in others.items() if _alike(spec) == made), None)


def _of_kind(catalog: Catalog, kind: Kind) -> Mapping[str, Any]:
    match kind:
        case Kind.CHAT:
            return catalog.deployments
        case Kind.EMBEDDING:
            return catalog.embeddings
        case Kind.IMAGE:
            return catalog.images


def _alike(spec: Any) -> Any:
    """The deployment with its weights by their one name, of which there are aliases."""
    if isinstance(spec, LlamaCppDeployment) and local_file(spec.weights) is None:
        return replace(spec, weights=resolve_weight(spec.weights).name)
    return spec
