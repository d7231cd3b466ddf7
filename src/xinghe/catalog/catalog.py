"""Builds the catalog: the built-in `models.toml`, with the operator's merged over it."""

import tomllib
from importlib import resources
from typing import Any

import msgspec

from xinghe.catalog.card import AccountLimits, Kind, ModelCard
from xinghe.catalog.chains import SERVING, check_chain, inherited
from xinghe.catalog.deployments import (
    BUILT_IN,
    ENGINES,
    AnyDeployment,
    EmbeddingDeployment,
    ImageDeployment,
    LlamaCppDeployment,
    UpstreamDeployment,
)
from xinghe.settings import Settings, check_fields, shape, suggestion

SECTIONS = ("defaults", "limits", "deployments", "models")
ALIAS = "alias"
"""The only field of a model that is another name of one."""
FLAT = ("defaults", "limits")
SHORT_THOUGHT = 128
"""Tokens of a chain of thought of the built-in model, where nothing is said of them: it takes as
long as it is, and no gain was seen over all kinds of questions (`bench/NOTES.md`)."""
MAX_NAME = 200
"""Characters of the name of a model or deployment."""
Tree = dict[str, Any]
"""What a TOML file holds: tables of tables."""


class CatalogError(Exception):
    """A catalog that cannot be used; the message names the entry and the field."""


class Catalog(msgspec.Struct, frozen=True):
    """Every model by its name, every deployment by its own, and what limits a member.

    `aliases` are other names of models, and what each stands for.
    """

    models: dict[str, ModelCard]
    deployments: dict[str, AnyDeployment]
    embeddings: dict[str, EmbeddingDeployment]
    images: dict[str, ImageDeployment]
    limits: AccountLimits
    aliases: dict[str, str] = {}

    def of_kind(self, kind: Kind) -> dict[str, ModelCard]:
        return {name: card for name, card in self.models.items() if card.kind is kind}

    def in_use(self) -> dict[str, AnyDeployment]:
        """The deployments that a chat model names: only these are started."""
        names = self._named(Kind.CHAT)
        return {name: self.deployments[name] for name in sorted(names)}

    def embeddings_in_use(self) -> dict[str, EmbeddingDeployment]:
        """The deployments that an embedding model names."""
        names = self._named(Kind.EMBEDDING)
        return {name: self.embeddings[name] for name in sorted(names)}

    def images_in_use(self) -> dict[str, ImageDeployment]:
        """The deployments that an image model names."""
        names = self._named(Kind.IMAGE)
        return {name: self.images[name] for name in sorted(names)}

    def _named(self, kind: Kind) -> set[str]:
        return {name for card in self.of_kind(kind).values() for name in card.chain}


def merged(own: Tree, *, later: bool = False) -> Tree:
    """The built-in tree with an operator's over it; `later`: with the names of that file, too."""
    tree = _builtin("models.toml")
    return _merge(_merge(tree, _builtin("later_models.toml")) if later else tree, own)


def _builtin(file: str) -> Tree:
    return tomllib.loads(resources.files("xinghe.catalog").joinpath(file).read_text("utf-8"))


def built(tree: Tree, settings: Settings) -> Catalog:
    """The catalog that a `merged` tree describes; nothing but the tree and settings is looked at.

    Raises `CatalogError`, which names the entry and its field.
    """
    _check_sections(tree)
    try:
        check_fields(tree["defaults"], ModelCard)
    except ValueError as error:
        raise CatalogError(f"defaults: {error}") from error
    made = {
        name: _deployment(f"deployments.{name}", fields, settings)
        for name, fields in tree["deployments"].items()
    }
    deployments = {name: one for name, one in made.items() if isinstance(one, AnyDeployment)}
    embeddings = {name: one for name, one in made.items() if isinstance(one, EmbeddingDeployment)}
    images = {name: one for name, one in made.items() if isinstance(one, ImageDeployment)}
    cards = {name: fields for name, fields in tree["models"].items() if ALIAS not in fields}
    models = {
        name: _convert(f"models.{name}", {**tree["defaults"], **fields}, ModelCard)
        for name, fields in cards.items()
    }
    models = {name: _placed(name, card, made, cards) for name, card in models.items()}
    aliases = {
        name: _alias(name, fields, models)
        for name, fields in tree["models"].items()
        if ALIAS in fields
    }
    limits = _convert("limits", tree["limits"], AccountLimits)
    return Catalog(models, deployments, embeddings, images, limits, aliases)


def _alias(name: str, fields: dict[str, Any], models: dict[str, ModelCard]) -> str:
    """The model that an alias stands for: none of its own, and no other alias."""
    if others := sorted(fields.keys() - {ALIAS}):
        raise CatalogError(
            f"models.{name}: `{others[0]}` stands beside `alias`, allowed: `alias` alone; what it "
            "stands for says the rest"
        )
    stands_for = fields[ALIAS]
    if not isinstance(stands_for, str) or stands_for not in models:
        said = repr(stands_for[:MAX_NAME]) if isinstance(stands_for, str) else shape(stands_for)
        known = suggestion(str(stands_for), models)
        raise CatalogError(f"models.{name}: `alias` is {said}, which is no model; {known}")
    return stands_for


def _check_sections(tree: Tree) -> None:
    for section, entries in tree.items():
        if section not in SECTIONS:
            known = suggestion(section, SECTIONS)
            raise CatalogError(f"`{section}` is no section, {known}")
        if not isinstance(entries, dict):
            raise CatalogError(f"`{section}` is {shape(entries)}, allowed: a table")
        if section in FLAT:
            continue
        for name, entry in entries.items():
            if not isinstance(entry, dict):
                raise CatalogError(f"{section}.{name} is {shape(entry)}, allowed: a table")
            # They go into headers, paths and lines of the log.
            if not (0 < len(name) <= MAX_NAME and name.isprintable()):
                raise CatalogError(
                    f"{section}: the name {name[:MAX_NAME]!r} is not allowed: 1 to {MAX_NAME} "
                    "characters that can be printed"
                )


def _merge(base: Tree, over: Tree) -> Tree:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = (
            _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def _deployment(
    where: str, fields: dict[str, Any], settings: Settings
) -> AnyDeployment | EmbeddingDeployment | ImageDeployment:
    engine = fields.get("engine")
    if not isinstance(engine, str) or engine not in ENGINES:
        known = suggestion(str(engine), ENGINES)
        said = repr(engine) if isinstance(engine, str) else shape(engine)
        raise CatalogError(f"{where}: `engine` is {said}, {known}")
    kind: Any = ENGINES[engine]
    if "eyes" in fields and "vision" in kind.__struct_fields__:
        where += ": `eyes` is called `vision` now"
        if "vision" in fields:
            raise CatalogError(f"{where}, allowed: one of them")
        fields = {"vision" if name == "eyes" else name: value for name, value in fields.items()}
    deployment: AnyDeployment | EmbeddingDeployment | ImageDeployment
    deployment = _convert(where, fields, kind)
    if not isinstance(deployment, LlamaCppDeployment):
        return deployment
    embedded, thinking = settings.embedded, deployment.thinking
    if where == f"deployments.{BUILT_IN}" and "thinking" not in fields and not deployment.thinks:
        thinking = SHORT_THOUGHT
    return msgspec.structs.replace(
        deployment,
        thinking=thinking,
        weights=deployment.weights or embedded.model,
        slots=deployment.slots or embedded.slots,
        context=deployment.context or embedded.context,
        longest_wait=deployment.longest_wait or embedded.longest_wait,
    )


def _placed(name: str, card: ModelCard, made: dict[str, Any], models: dict[str, Any]) -> ModelCard:
    """A card whose deployments are there, and can serve it."""
    served, kind = made.get(card.deployment), SERVING[card.kind]
    if not isinstance(served, kind):
        known = ", ".join(sorted(each for each, one in made.items() if isinstance(one, kind)))
        raise CatalogError(
            f"models.{name}: `deployment` is {card.deployment!r}, allowed: {known}; "
            f"`xinghe models use {name} SOURCE` defines one"
        )
    ignores = served.ignores if isinstance(served, UpstreamDeployment) else frozenset[str]()
    where = f"models.{name}" if "fallback" in models[name] else "defaults"
    try:
        if where == "defaults":
            fallback = inherited(card, made)
        else:
            check_chain(card, made, models)
            fallback = card.fallback
    except ValueError as error:
        raise CatalogError(f"{where}: {error}") from error
    return msgspec.structs.replace(card, ignores=card.ignores | ignores, fallback=fallback)


def _convert(where: str, fields: dict[str, Any], kind: Any) -> Any:
    try:
        tag = kind.__struct_config__.tag_field
        check_fields({name: value for name, value in fields.items() if name != tag}, kind)
        return msgspec.convert(fields, kind)
    except ValueError as error:  # msgspec's own is one
        raise CatalogError(f"{where}: {error}") from error
