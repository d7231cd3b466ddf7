"""From a source to a change of the configuration: drafted, named, checked, tried; not applied."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from xinghe.catalog import (
    Catalog,
    DiffusersDeployment,
    Kind,
    LlamaCppDeployment,
    Tree,
    UpstreamDeployment,
    UpstreamImagesDeployment,
)
from xinghe.configuration.merging import patched
from xinghe.engines.llamacpp.admission import with_spare
from xinghe.outbound import CallFailed, origin_of
from xinghe.settings import Settings
from xinghe.sources.change import change_of, name_of, of_kind, twin_of
from xinghe.sources.draft import Draft, Key, Say
from xinghe.sources.faults import KeyWanted, told
from xinghe.sources.memory import fits, require_memory
from xinghe.sources.ollama import address, loaded_context, of_ollama
from xinghe.sources.server import Asking, Choose, of_endpoint, secret
from xinghe.sources.source import (
    Endpoint,
    File,
    Known,
    Ollama,
    Repository,
    Source,
    SourceError,
)
from xinghe.sources.trial import Trial, try_embedder, try_images, try_llamacpp, try_upstream
from xinghe.sources.undoing import tidy, unknown
from xinghe.sources.weights import of_file, of_known, of_repository
from xinghe.weights import Progress

Built = Callable[[Tree], Catalog]
"""The catalog of an operator's tree. Raises `CatalogError`."""
AskKey = Callable[[str], str]
"""Asks for the key of what is named; empty where nobody can be asked."""

LIMIT, LIMIT_OF_IMAGES = 60.0, 600.0
"""Seconds that a trial may take."""
LEAST_CONTEXT = 1024
"""Tokens below which no smaller context is advised."""


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


class Using:
    """One model that is to be served by one source: nothing is applied here.

    `tree` is what is applied; `file` is what was written by hand of it, and stays. Raises
    `SourceError` and `CatalogError`, as its methods do.
    """

    def __init__(
        self, desk: Desk, tree: Tree, file: Tree, model: str, source: Source, options: Options
    ) -> None:
        self._desk = desk
        self._tree, self._file = tree, file
        self._catalog = desk.built(tree)
        self._model, self._source, self._options = model, source, options
        self._card = self._catalog.models.get(model)
        kind = self._card.kind if self._card else options.new
        if kind is None:
            raise SourceError(unknown(model, self._catalog))
        self._kind = kind
        self._name = name_of(self._catalog, tree, file, model)

    async def use(self) -> Use:
        """What it comes to, tried."""
        variable = self._options.key.variable if self._options.attempt else ""
        if variable and not os.environ.get(variable, "").strip():
            raise SourceError(
                f"the variable {variable} is empty or not set here; the key is read there"
            )
        while True:
            try:
                found = await self._used()
            except KeyWanted as wanted:
                if self._options.key.fields or not isinstance(self._source, Endpoint):
                    raise
                asked = f"{wanted}\nKey of {self._source.origin}"
                value = self._desk.ask_key(asked).strip()
                if not value:
                    raise
                self._options.key = Key(value=value)
                continue
            found.gone = tidy(
                found.patch, self._tree, self._file, self._catalog, self._model, found.deployment
            )
            return found

    async def _used(self) -> Use:
        draft = await self._drafted()
        draft.table |= self._options.fields
        change, candidate = self._candidate(draft)
        trial = None
        if self._options.attempt:
            self._desk.say(f"trying {draft.shown} …")
            trial = await self._tried(of_kind(candidate, self._kind)[self._name], draft)
            if trial.adapted:
                draft.table |= trial.adapted
                change, candidate = self._candidate(draft)
        twin = twin_of(self._catalog, candidate, self._kind, self._name)
        if twin:
            fields = change["models"][self._model]
            change = {"models": {self._model: {**fields, "deployment": twin}}}
        catalog, name = (self._catalog, twin) if twin else (candidate, self._name)
        spec = of_kind(catalog, self._kind)[name]
        return Use(change, name, spec, draft.table, draft.shown, bool(twin), trial)

    def _candidate(self, draft: Draft) -> tuple[Tree, Catalog]:
        """The change, and what the catalog would be with it."""
        change = change_of(self._tree, self._model, self._card, self._kind, self._name, draft)
        return change, self._desk.built(patched(self._tree, change))

    async def _drafted(self) -> Draft:
        desk, kind, options = self._desk, self._kind, self._options
        most = self._card.max_input if self._card else 0
        source = self._source
        if not isinstance(source, Endpoint) and options.key.fields:
            raise SourceError(
                "a key is for http(s)://host/v1 alone: leave --key-env and --ask-key out"
            )
        match source:
            case Endpoint():
                asking = Asking(options.key, desk.choose, desk.say, self._limit)
                return await of_endpoint(source, kind, asking, asked=options.attempt)
            case Ollama():
                return await of_ollama(source, kind, desk.say, self._limit)
            case Repository():
                return await of_repository(
                    source, kind, desk.settings, most, desk.progress, desk.say
                )
            case Known():
                return await of_known(source, kind, desk.settings, most, desk.progress)
            case File():
                return await of_file(source, kind, desk.settings, most)

    @property
    def _limit(self) -> float:
        """Seconds that a trial may take, and a server's list of its models."""
        return self._options.limit or LIMIT

    async def _tried(self, spec: Any, draft: Draft) -> Trial:
        source = self._source
        if not isinstance(source, Endpoint):
            trial = await self._tried_one(spec, draft.shown, draft)
            if isinstance(source, Ollama) and "context" not in self._options.fields:
                found = await loaded_context(address(), source.name, self._limit)
                if found and found != draft.table.get("context"):
                    self._desk.say(f"Ollama has loaded it with a context of {found} tokens")
                    trial.adapted["context"] = found
            return trial
        urls: list[str] = draft.table.get("urls") or [draft.table["url"]]
        trials: list[Trial] = []
        for url in urls:
            one = replace(spec, url=url, urls=())
            trials.append(await self._tried_one(one, origin_of(url), draft))
            if len(urls) > 1:
                self._desk.say(f"{origin_of(url)}: {trials[-1].text}")
        return trials[0]

    async def _tried_one(self, spec: Any, origin: str, draft: Draft) -> Trial:
        """Raises `SourceError`."""
        name, settings, limit = self._name, self._desk.settings, self._limit
        key = secret(self._options.key)
        try:
            match spec:
                case UpstreamDeployment():
                    return await try_upstream(name, spec, origin, key, limit)
                case LlamaCppDeployment():
                    return await self._tried_file(spec, draft)
                case DiffusersDeployment() | UpstreamImagesDeployment():
                    longer = self._options.limit or LIMIT_OF_IMAGES
                    return await try_images(name, spec, settings, longer)
                case _:
                    return await try_embedder(name, spec, settings, limit)
        except CallFailed as error:
            raise told(error, origin, str(draft.table.get("model", "")), key) from None

    async def _tried_file(self, spec: LlamaCppDeployment, draft: Draft) -> Trial:
        assert draft.gguf is not None
        gguf, context = draft.gguf, spec.context

        def cache(tokens: int) -> int:
            return gguf.cache_bytes(with_spare(spec.slots, tokens)[1])

        while context >= LEAST_CONTEXT and not fits(gguf.size, cache(context)):
            context //= 2
        hint = f"; --set context={context} fits" if context >= LEAST_CONTEXT else ""
        require_memory(draft.shown, gguf.size, cache(spec.context), hint=hint)
        settings = self._desk.settings
        return await try_llamacpp(self._name, spec, gguf.files[0], settings, self._limit)
