"""`POST /v1/tokenize`: the tokens of a text or a conversation, at nobody's cost."""

from collections.abc import Sequence

import msgspec

from xinghe.api.chat.answers import Answers, check_length
from xinghe.api.chat.reading import read_request
from xinghe.api.chat.request import too_many_characters
from xinghe.api.chat.schema import CHAT, ChatBody, ChatRequestOpenai
from xinghe.api.chat.served import Served
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors, unsupported
from xinghe.api.exchange import Exchange, check_whole
from xinghe.api.priced import Services, admit, unless_gone
from xinghe.api.tokenize.schema import TOKENIZE, Tokenized, TokenizeRequest
from xinghe.api.validation import ParsedBody, parse_request, tell_ignored
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Message
from xinghe.limits import asked


class TokenizeRoute(msgspec.Struct):
    """Reads a text or a conversation, and sends its tokens; it counts in the limits of requests."""

    services: Services
    answers: Answers

    async def __call__(self, exchange: Exchange) -> None:
        services, server = self.services, self.services.settings.server
        parsed, card = await parse_request(
            TOKENIZE, Kind.CHAT, exchange, services.live, server, whole=False
        )
        request, own = parsed.checked({}), self.answers.chain(exchange, card).own
        text = await _read(exchange, request, card, own)
        if parsed.ignored:
            tell_ignored(exchange, TOKENIZE, parsed.ignored)
        asks, _ = asked(exchange.principal.standing.limits, exchange.model)
        admission = await admit(
            services, exchange, exchange.model, asks, rpm=card.rpm, tpm=0, tokens=0
        )
        admission.settle(0)
        framed = request.add_special_tokens is not False
        exchange.set_header("x-served-by", own.engine.served_by)
        tokens = await unless_gone(exchange, own.deployment.tokens(text, framed=framed))
        if tokens is None:
            raise unsupported(
                "model",
                f"what serves {exchange.model} tells no tokens; "
                "POST /v1/messages/count_tokens tells how many there would be",
            )
        await exchange.send_json(Tokenized(len(tokens), own.limits.context, tokens))


async def _read(
    exchange: Exchange, request: TokenizeRequest, card: ModelCard, own: Served
) -> str | Sequence[Message]:
    """What is to be counted. Raises `ApiError`."""
    if request.return_token_strs:
        raise unsupported("return_token_strs", "return_token_strs is true, allowed: false")
    most, prompt = own.limits.max_characters, request.prompt
    if (prompt is None) == (request.messages is None):
        given = "are both missing" if prompt is None else "were both sent"
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"prompt and messages {given}, allowed: one of the two",
            param="prompt",
        )
    if prompt is not None:
        if len(prompt) > most:
            error = too_many_characters(most, len(prompt) + exchange.missing)
            error.param = "prompt"
            raise error
        check_whole(exchange)
        return prompt
    body = ChatRequestOpenai(model=request.model, messages=request.messages or [])
    parsed = ParsedBody[ChatBody](CHAT[Dialect.OPENAI], request.model, (), body, {})
    chat = await read_request(parsed, exchange.model, card, exchange.dialect, own.able, most)
    check_length(exchange, chat, most)
    check_whole(exchange)
    if chat.shows:
        raise unsupported("messages", "messages hold a picture, which has no tokens of its own")
    return chat.messages
