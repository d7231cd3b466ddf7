"""`POST /v1/completions`: a prompt read as a chat of one message, and its answer as a text."""

import msgspec

from xinghe.api.chat.answers import Answers, check_length
from xinghe.api.chat.conversation import OpenAIMessage
from xinghe.api.chat.reading import read_request
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.schema import CHAT, ChatBody, ChatRequestOpenai
from xinghe.api.chat.served import Served
from xinghe.api.completions.answer import CompletionWording
from xinghe.api.completions.schema import (
    COMPLETIONS,
    DEFAULT_TOKENS,
    CompletionRequest,
    check_served,
)
from xinghe.api.dialect import Dialect
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services
from xinghe.api.validation import ParsedBody, parse_request
from xinghe.catalog import Kind, ModelCard
from xinghe.dispatch import Chain

SAME = (
    "temperature", "top_p", "penalty_score", "frequency_penalty", "presence_penalty", "seed",
    "n", "stop", "stream", "stream_options", "user", "user_id",
)  # fmt: skip
"""Fields that a chat has as well."""


class CompletionsRoute(msgspec.Struct):
    """Reads a prompt, and sends its answer in one piece or as a stream."""

    services: Services
    answers: Answers

    async def __call__(self, exchange: Exchange) -> None:
        services, server = self.services, self.services.settings.server
        parsed, card = await parse_request(
            COMPLETIONS, Kind.CHAT, exchange, services.live, server, whole=False
        )
        asked = parsed.checked({})
        check_served(asked)
        each = [await self._read(exchange, parsed, asked, prompt, card) for prompt in asked.prompts]
        wording = CompletionWording(exchange, each[0][0], len(each))
        await self.answers.send_together(exchange, COMPLETIONS, each, wording)

    async def _read(
        self,
        exchange: Exchange,
        parsed: ParsedBody[CompletionRequest],
        asked: CompletionRequest,
        prompt: str,
        card: ModelCard,
    ) -> tuple[ChatRequest, Chain[Served]]:
        """One of the prompts as a chat of its own, and who may serve it. Raises `ApiError`."""
        body = as_chat(asked, prompt)
        chat = ParsedBody[ChatBody](CHAT[Dialect.OPENAI], parsed.model, parsed.ignored, body, {})
        chain = self.answers.chain(exchange, card)
        able, most = chain.own.able, chain.own.limits.max_characters
        request = await read_request(chat, exchange.model, card, exchange.dialect, able, most)
        check_length(exchange, request, most)
        return request, chain


def as_chat(asked: CompletionRequest, prompt: str) -> ChatRequestOpenai:
    """One of the prompts as a chat of one message."""
    likely = asked.logprobs is not None
    same = {name: getattr(asked, name) for name in SAME}
    return ChatRequestOpenai(
        model=asked.model,
        messages=[OpenAIMessage("user", prompt)],
        max_tokens=DEFAULT_TOKENS if asked.max_tokens is None else asked.max_tokens,
        logprobs=True if likely else None,
        top_logprobs=asked.logprobs,
        **same,
    )
