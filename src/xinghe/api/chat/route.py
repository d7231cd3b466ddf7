"""`POST /chat/completions`: a request read, and its answer sent; `work` says what it is and costs.

`priced` does the rest.
"""

from functools import partial

from xinghe.api.chat.request import ChatRequest, read_request, too_many_characters
from xinghe.api.chat.response import Accumulator, completion
from xinghe.api.chat.schema import CHAT, ChatBody
from xinghe.api.chat.served import Served
from xinghe.api.chat.stream import stream_answer
from xinghe.api.chat.work import SERVED_BY, ChatWork, Sink
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services, charged
from xinghe.api.validation import ParsedBody, parse_request, tell_ignored
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Usage
from xinghe.dispatch import Chain
from xinghe.engines.prompts import estimated_tokens


class ChatRoute:
    """Reads a request, and sends its answer in one piece or as a stream."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._serving = services.live.now
        self._known = dict[str, list[Served]]()
        """Of the models of `serving` that were asked for."""

    async def __call__(self, exchange: Exchange) -> None:
        services, server = self._services, self._services.settings.server
        parsed, card = await parse_request(
            CHAT[exchange.dialect], Kind.CHAT, exchange, services.live, server, whole=False
        )
        request, chain = await self.understood(exchange, parsed, card)
        no_say = list(request.ignored)
        if request.effort != 1.0 and chain.own.engine.abilities.thinks:
            no_say.append("reasoning_effort")  # only a budget cuts off what thinks by itself
        if no_say:
            tell_ignored(exchange, parsed.form, no_say)
        prompt = estimated_tokens("\n".join(request.texts))
        usage = Usage()

        async def make(sink: Sink) -> None:
            chat = ChatWork(
                services, exchange, request, chain, sink,
                card=card, stream=request.stream, usage=usage, tokens=prompt + request.max_tokens,
            )  # fmt: skip
            # The last batch leaves once its charge is saved.
            chat.show(await charged(services, exchange, chat))

        if request.stream:
            await stream_answer(exchange, request, usage, server, services.lapses, make)
            return
        accumulated = Accumulator()
        await make(_Whole(exchange, accumulated))
        await exchange.send_json(completion(exchange, request, accumulated, usage))

    async def understood(
        self, exchange: Exchange, parsed: ParsedBody[ChatBody], card: ModelCard
    ) -> tuple[ChatRequest, Chain[Served]]:
        """What is asked, and who may serve it. Raises `ApiError`."""
        chain = Chain(exchange.model, self._served(exchange, card))
        able, most = chain.own.able, chain.own.limits.max_characters
        request = await read_request(parsed, exchange.model, card, exchange.dialect, able, most)
        if (characters := sum(map(len, request.texts))) > most:
            raise too_many_characters(most, characters + exchange.missing)
        return request, chain

    def _served(self, exchange: Exchange, card: ModelCard) -> list[Served]:
        """Those who may serve it, made once a model and version."""
        if self._serving is not exchange.serving:
            self._serving = exchange.serving
            self._known.clear()
        served = self._known.get(exchange.model)
        if served is None:
            deployments = exchange.serving.deployments.chats(card)
            served = [Served.by(each, card) for each in deployments]
            self._known[exchange.model] = served
        return served


class _Whole:
    """Puts an answer together, to be sent in one piece."""

    def __init__(self, exchange: Exchange, accumulated: Accumulator) -> None:
        self.emit = accumulated.take
        self.tell = partial(exchange.set_header, SERVED_BY)
        self._accumulated = accumulated

    def begin(self) -> None: ...

    def forget(self) -> bool:
        self._accumulated.forget()
        return True
