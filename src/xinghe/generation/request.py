"""What one request wants of generation, and the services that answer it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from xinghe.core import Message, Picture, Sampling
from xinghe.dispatch import ChatDeployment
from xinghe.generation.json_check import Walker
from xinghe.generation.search import Searcher, SearchOptions
from xinghe.generation.vetting import VettedForm, VettedTools
from xinghe.pictures import Description
from xinghe.safety import Moderator

SEARCH_FRAME = 512
"""The most tokens of what the platform says around the results of a search."""


class Reader(Protocol):
    """Reads pictures for engines without eyes; see `pictures.PictureReader`."""

    async def describe(self, picture: Picture, max_characters: int = ...) -> Description: ...


class AnswerServices(msgspec.Struct, frozen=True):
    """What answers are made with; it lives as long as the process."""

    moderator: Moderator
    searcher: Searcher
    reader: Reader
    vetting: Walker


class Task(msgspec.Struct, frozen=True):
    """A chat request as generation sees it, and the deployment that serves it.

    `max_tokens` bounds the answer, `thinking` the chain of thought before it (0: none). With
    `structure`, the answer is JSON; with `tools`, it may be calls. `search_budget` is how many
    tokens of what a search finds the engine reads. `account` is who asks.
    """

    request_id: str
    deployment: ChatDeployment
    messages: tuple[Message, ...]
    sampling: Sampling
    max_tokens: int
    thinking: int = 0
    stops: tuple[str, ...] = ()
    tools: VettedTools | None = None
    structure: VettedForm | None = None
    search: SearchOptions | None = None
    search_budget: int = 0
    preemptible: bool = False
    account: int | None = None

    @property
    def thinks_first(self) -> bool:
        """Whether the platform lets the model think, as the engine does not by itself."""
        return self.thinking > 0 and not self.deployment.engine.abilities.thinks

    @property
    def keeps_to_grammars(self) -> bool:
        """Whether the engine is held to grammars, and goes on from a given beginning."""
        return self.deployment.engine.abilities.constraints == "grammar"

    @property
    def search_bound(self) -> int:
        """The most tokens that a search adds to the prompt: the budget counts by an estimate."""
        return 2 * self.search_budget + SEARCH_FRAME if self.search is not None else 0
