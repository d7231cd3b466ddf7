"""`GET /models` and `GET /models/{id}` (section 2.7): OpenAI's shape, and an `xinghe` object."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from xinghe.api.chat.capabilities import around, deliverable
from xinghe.api.chat.thinking import longest, thinks
from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.schema import text_limits
from xinghe.api.errors import no_such_model
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services, admit
from xinghe.catalog import Kind, Limits, ModelCard, effective, of_card, of_deployment
from xinghe.dispatch import ChatDeployment, Deployments
from xinghe.embedding import Embedder
from xinghe.images import ImageEngine, abilities_for, default_size, sizes_of

OWNER = "xinghe"
NO_MODEL = ""
"""What limits count operations under that name no model."""


class LimitsShown(msgspec.Struct):
    """In tokens, but for the characters."""

    context: int
    max_input_tokens: int
    max_output_tokens: int
    max_input_characters: int


class ChatLimits(msgspec.Struct):
    """The card's, the deployment's (null: it has none of its own), and what holds.

    The reasoning is how long a chain of thought may be asked for, and is where nobody asks; 0 where
    there is none.
    """

    model: LimitsShown
    deployment: LimitsShown | None
    effective: LimitsShown
    default_output_tokens: int
    max_reasoning_tokens: int
    default_reasoning_tokens: int


class TextLimits(msgspec.Struct):
    """Of an embedding model: the smaller of the card's and the deployment's."""

    texts: int
    tokens_a_text: int
    characters_a_text: int


class Capabilities(msgspec.Struct):
    """What the documented model can do, and what this service delivers of it.

    `platform` tells how the platform delivers what the engine itself lacks.
    """

    model: list[str]
    served: list[str]
    platform: dict[str, str] = {}


class About(msgspec.Struct):
    """What an OpenAI client does not ask for. Ratios are Tokens a token.

    The speed is the mean of the answers that this process has given in the last 24 hours, to
    whomever; null until there is one, and of what gives no tokens.
    """

    kind: Literal["chat", "embedding", "image"]
    title: str
    served_by: str | None
    state: Literal["ready", "not ready"]
    """Whether any can serve it, those of its `fallback` included."""
    first_token_ms: float | None
    tokens_per_second: float | None
    rpm: int
    tpm: int
    capabilities: Capabilities
    alias_of: str | UnsetType = UNSET
    """The model that this is another name of."""
    fallback: list[str] | UnsetType = UNSET
    """Who serves it where `served_by` cannot, in this order."""
    limits: ChatLimits | UnsetType = UNSET
    text_limits: TextLimits | UnsetType = UNSET
    dimensions: int | UnsetType | None = UNSET
    """Of its vectors; null until an upstream has answered for the first time."""
    ignored_parameters: list[str] | UnsetType = UNSET
    input_ratio: float | UnsetType = UNSET
    output_ratio: float | UnsetType = UNSET
    image_tokens: int | UnsetType = UNSET
    """The price of an image of 1024x1024 and 20 steps; others in proportion."""
    image_sizes: list[str] | UnsetType = UNSET
    default_image_size: str | UnsetType = UNSET
    image_parameters: list[str] | UnsetType = UNSET
    """Those that not every image model is told."""


class Model(msgspec.Struct):
    """One model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    xinghe: About


class ModelList(msgspec.Struct):
    """The models that the token may use."""

    object: Literal["list"]
    data: list[Model]


class ModelsRoute(msgspec.Struct):
    """Lists the models that the caller's token may use; `created` is in seconds since 1970."""

    services: Services
    created: int

    async def list(self, exchange: Exchange) -> None:
        principal = exchange.principal
        await self._admit(exchange)
        serving = self.services.live.now
        cards = {
            name: card for name, card in serving.catalog.models.items() if principal.may_use(name)
        }
        described = await self._described(serving.deployments, cards, exchange.dialect)
        known = {each.id: each for each in described}
        others = [
            _alias_of(known[name], alias)
            for alias, name in serving.catalog.aliases.items()
            if name in known
        ]
        await exchange.send_json(ModelList("list", [*described, *others]))

    async def show(self, exchange: Exchange) -> None:
        asked = exchange.path_id
        await self._admit(exchange)
        serving = self.services.live.now
        name = serving.catalog.aliases.get(asked, asked)
        card = serving.catalog.models.get(name)
        if card is None or not exchange.principal.may_use(name):
            raise no_such_model(asked)
        (model,) = await self._described(serving.deployments, {name: card}, exchange.dialect)
        await exchange.send_json(model if asked == name else _alias_of(model, asked))

    async def all(self) -> ModelList:
        """Every model, for whoever runs the service."""
        serving = self.services.live.now
        models = serving.catalog.models
        described = await self._described(serving.deployments, models, Dialect.DOCUMENTED)
        return ModelList("list", [*described])

    async def _admit(self, exchange: Exchange) -> None:
        limits = self.services.live.now.catalog.limits
        await admit(self.services, exchange, NO_MODEL, rpm=limits.rpm, tpm=limits.tpm, tokens=0)

    async def _described(
        self, deployments: Deployments, cards: Mapping[str, ModelCard], dialect: Dialect
    ) -> Sequence[Model]:
        names = {name for card in cards.values() for name in card.chain}
        states = await self.services.live.states(names)
        return [
            self._describe(
                deployments, name, card, dialect, ready=any(states[each] for each in card.chain)
            )
            for name, card in cards.items()
        ]

    def _describe(
        self,
        deployments: Deployments,
        name: str,
        card: ModelCard,
        dialect: Dialect,
        *,
        ready: bool,
    ) -> Model:
        speed = self.services.speeds.of(name)
        about = About(
            kind=card.kind.value,
            title=card.title,
            served_by=None,
            state="ready" if ready else "not ready",
            first_token_ms=speed.first_token_ms,
            tokens_per_second=speed.tokens_per_second,
            rpm=card.rpm,
            tpm=card.tpm,
            capabilities=Capabilities(
                model=sorted(card.capabilities), served=sorted(card.capabilities)
            ),
        )
        match card.kind:
            case Kind.CHAT:
                serving = [each.engine.served_by for each in deployments.chats(card)]
                _describe_chat(deployments.chat(card), card, dialect, about)
            case Kind.EMBEDDING:
                serving = [each.served_by for each in deployments.embedders(card)]
                _describe_embedding(deployments.embedder(card), card, about)
            case Kind.IMAGE:
                serving = [each.served_by for each in deployments.image_engines(card)]
                _describe_images(deployments.image_engine(card), card, about)
        about.served_by = serving[0]
        if card.fallback:
            about.fallback = serving[1:]
        return Model(name, "model", self.created, OWNER, about)


def _describe_embedding(embedder: Embedder, card: ModelCard, about: About) -> None:
    limits = text_limits(card, embedder)
    about.text_limits = TextLimits(limits.texts, limits.tokens, limits.characters)
    about.dimensions = embedder.dimensions or None
    about.input_ratio = card.input_ratio


def _describe_images(engine: ImageEngine, card: ModelCard, about: About) -> None:
    about.capabilities.platform = abilities_for(card, engine)
    about.image_tokens = card.image_tokens
    about.image_sizes = list(sizes_of(card))
    about.default_image_size = default_size(card)
    about.image_parameters = sorted(card.parameters)


def _describe_chat(
    deployment: ChatDeployment, card: ModelCard, dialect: Dialect, about: About
) -> None:
    served = of_deployment(deployment.spec)
    able = deliverable(card, deployment, dialect)
    about.capabilities.served = sorted(able)
    about.capabilities.platform = around(able, deployment)
    thought = card.reasoning_max if thinks(card) else 0
    about.limits = ChatLimits(
        model=_shown(of_card(card)),
        deployment=_shown(served) if served else None,
        effective=_shown(effective(card, deployment.spec)),
        default_output_tokens=card.output_default,
        max_reasoning_tokens=longest(card, dialect),
        default_reasoning_tokens=min(thought, deployment.spec.thinking or thought),
    )
    about.ignored_parameters = sorted(card.ignores)
    about.input_ratio, about.output_ratio = card.input_ratio, card.output_ratio


def _alias_of(model: Model, name: str) -> Model:
    """The same model under its other name."""
    return replace(model, id=name, xinghe=replace(model.xinghe, alias_of=model.id))


def _shown(limits: Limits) -> LimitsShown:
    return LimitsShown(limits.context, limits.max_input, limits.max_output, limits.max_characters)
