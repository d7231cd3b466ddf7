"""`POST /v1/completions`: a prompt read as a chat of one message, and its answer as a text."""

import msgspec

from xinghe.api.chat.answers import Answers, check_length
from xinghe.api.chat.conversation import OpenAIMessage
from xinghe.api.chat.reading import read_request
from xinghe.api.chat.schema import CHAT, ChatBody, ChatRequestOpenai
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
from xinghe.catalog import Kind

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
        chat = ParsedBody[ChatBody](
            CHAT[Dialect.OPENAI], parsed.model, parsed.ignored, as_chat(asked), {}
        )
        chain = self.answers.chain(exchange, card)
        able, most = chain.own.able, chain.own.limits.max_characters
        request = await read_request(chat, exchange.model, card, exchange.dialect, able, most)
        check_length(exchange, request, most)
        wording = CompletionWording(exchange, request)
        await self.answers.send(exchange, COMPLETIONS, request, chain, wording)


def as_chat(asked: CompletionRequest) -> ChatRequestOpenai:
    """The same as a chat of one message."""
    prompt = asked.prompt if isinstance(asked.prompt, str) else asked.prompt[0]
    same = {name: getattr(asked, name) for name in SAME}
    return ChatRequestOpenai(
        model=asked.model,
        messages=[OpenAIMessage("user", prompt)],
        max_tokens=DEFAULT_TOKENS if asked.max_tokens is None else asked.max_tokens,
        **same,
    )
