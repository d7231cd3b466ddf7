"""`POST /chat/completions`: what a chat request is, costs and does; `priced` does the rest.

Before anything is held, it is moderated (contract, Safety), its schemas are vetted, it is counted
and cut to fit. What is unsafe is refused, or answered without an engine.
"""

import re
import time
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec.structs import replace

from xinghe.api.chat.capabilities import OCR, deliverable, forbid
from xinghe.api.chat.request import ChatRequest, read_request, too_many_characters
from xinghe.api.chat.response import Accumulator, completion
from xinghe.api.chat.schema import CHAT
from xinghe.api.chat.stream import stream_answer
from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.exchange import Exchange, check_whole
from xinghe.api.priced import Prepared, Services, charged
from xinghe.api.validation import parse_request, tell_ignored
from xinghe.catalog import Capability, Kind, Limits, LlamaCppDeployment, ModelCard, effective
from xinghe.core import FinishDelta, Message, Usage
from xinghe.dispatch import ChatDeployment
from xinghe.engines import Batch
from xinghe.engines.prompts import estimated_tokens
from xinghe.generation.answer import Answer
from xinghe.generation.moderation import refusal, worst_of
from xinghe.generation.planning import Counted, GenerationRequest, count
from xinghe.generation.runner import Emit, PassRunner
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.vetting import VettedForm, VettedTools
from xinghe.observe import metrics
from xinghe.safety import Moderator, Place, notice

SHARE = 8
"""One part in so many of what the context leaves is what the results of a search may take."""
FORMS = {
    Capability.JSON_SCHEMA: "response_format.json_schema",
    Capability.JSON_OBJECT: "response_format.schema",
}
"""Where the schema of a format stands."""
FUNCTION = re.compile(r"/(\d+)/function/parameters")
LONGEST = 200
"""Characters of a path that an error repeats."""
REFUSED = {
    "user": Errors.USER_UNSAFE,
    "functions": Errors.FUNCTIONS_UNSAFE,
    "system": Errors.SYSTEM_UNSAFE,
}
"""Where what is unsafe is no matter of the conversation."""


class _Served(msgspec.Struct, frozen=True):
    """Who serves a model, what it can do there, and the limits of a request to it."""

    deployment: ChatDeployment
    able: frozenset[Capability]
    limits: Limits


class ChatRoute:
    """Reads a request, and sends its answer in one piece or as a stream."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._serving = services.live.now
        self._known = dict[str, _Served]()
        """Of the models of `serving` that were asked for."""

    async def __call__(self, exchange: Exchange) -> None:
        services, server = self._services, self._services.settings.server
        parsed, card = await parse_request(
            CHAT[exchange.dialect], Kind.CHAT, exchange, services.live, server, whole=False
        )
        served = self._served(exchange, card)
        most, engine = served.limits.max_characters, served.deployment.engine
        request = await read_request(
            parsed, exchange.model, card, exchange.dialect, served.able, most
        )
        texts = request.texts
        if (characters := sum(map(len, texts))) > most:
            raise too_many_characters(most, characters + exchange.missing)
        no_say = list(request.ignored)
        if request.effort != 1.0 and engine.abilities.thinks:
            no_say.append("reasoning_effort")  # only a budget cuts off what thinks by itself
        if no_say:
            tell_ignored(exchange, parsed.form, no_say)
        read_out = request.shows and not engine.abilities.vision
        exchange.add_header("x-served-by", engine.served_by + (f", {OCR}" if read_out else ""))
        prompt = estimated_tokens("\n".join(texts))
        usage = Usage()

        async def make(emit: Emit, begin: Callable[[], None]) -> None:
            chat = _Chat(
                services, exchange, request, served, emit, begin,
                card=card, stream=request.stream, usage=usage, tokens=prompt + request.max_tokens,
            )  # fmt: skip
            # The last batch leaves once its charge is saved.
            chat.show(await charged(services, exchange, chat))

        if request.stream:
            await stream_answer(exchange, request, usage, server, services.lapses, make)
            return
        accumulated = Accumulator()
        await make(accumulated.take, lambda: None)
        await exchange.send_json(completion(exchange, request, accumulated, usage))

    def _served(self, exchange: Exchange, card: ModelCard) -> _Served:
        """Made once a model and version."""
        if self._serving is not exchange.serving:
            self._serving = exchange.serving
            self._known.clear()
        served = self._known.get(exchange.model)
        if served is None:
            deployment = exchange.serving.deployments.chat(card)
            able, limits = deliverable(card, deployment), effective(card, deployment.spec)
            served = self._known[exchange.model] = _Served(deployment, able, limits)
        return served


class _Chat(msgspec.Struct, eq=False):
    """One chat as `priced.Work`: `emit` takes what may be shown, `begin` hears that it begins."""

    _services: Services
    _exchange: Exchange
    _request: ChatRequest
    _served: _Served
    _emit: Emit
    _begin: Callable[[], None]
    card: ModelCard
    stream: bool
    usage: Usage
    tokens: int
    counts: tuple[str, ...] = (
        "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "search_tokens",
    )  # fmt: skip
    _timed: bool = False

    @property
    def used(self) -> int:
        usage = self.usage
        return usage.prompt_tokens + usage.completion_tokens + usage.discarded_tokens

    async def prepare(self) -> Prepared[Batch]:
        """Moderate what was asked and count it: what is left to do is to generate."""
        services, request = self._services, self._request
        unsafe = await _moderate(request, services.moderator)
        # After moderation: unsafe functions are refused as such by every model.
        for param, capability in request.wants:
            if capability not in self._served.able:
                raise forbid(request.model, param, capability)
            if param == "functions":
                raise refuse(param, [], "tools, which took its place")
        if unsafe is not None:
            return Prepared(partial(self._refusal, unsafe))
        messages = request.messages
        if request.shows:
            messages = await services.pictures.load(messages, self._exchange.reserve)
        check_whole(self._exchange)  # a picture that is too large has been refused as such
        form = tools = None
        if request.format is not None or request.tools is not None:
            form, tools = await self._vet()
        generation = self._generation_request(messages, form, tools)
        began = time.perf_counter()
        counted = await count(generation)
        waited = time.perf_counter() - began
        generation = cut_to_fit(generation, counted, self._served.limits)
        answer = Answer(PassRunner(services, generation, self.usage, counted.charge), counted)
        return Prepared(
            partial(self._generate, answer, waited),
            self.card.rate.cost(
                counted.bound + generation.search_bound,
                generation.thinking + generation.max_tokens,
                searches=int(generation.search is not None),
            ),
            counted.tokens,
            generation.max_tokens,
        )

    async def _vet(self) -> tuple[VettedForm | None, VettedTools | None]:
        """What the answer will be held to, of a request with a format or tools.

        Schemas are vetted before anything is counted or reserved, at nobody's cost: no work is
        done for a member who could not pay for the least of answers. Raises `ApiError` for a
        schema that cannot be guaranteed, `Busy` and `InsufficientTokens`.
        """
        services, request, payer = self._services, self._request, self._exchange.principal
        form, tools, account = None, None, str(payer.member_id)
        least = self.card.rate.cost(1, 1, searches=int(request.search is not None))
        first = partial(services.ledger.cover, payer, least)
        if request.format is not None:
            try:
                form = await services.vetting.form(
                    request.format.schema,
                    about=request.format.about,
                    max_tokens=request.max_tokens,
                    account=account,
                    first=first,
                )
            except Unguaranteed as error:
                raise _refused(FORMS[request.format.capability], error, error.path) from error
        if request.tools is not None:
            try:
                tools = await services.vetting.tools(
                    request.tools,
                    native=self._served.deployment.engine.abilities.tools,
                    max_tokens=request.max_tokens,
                    account=account,
                    first=first,
                )
            except Unguaranteed as error:
                function = FUNCTION.match(error.path)
                field = f"tools[{function[1]}].function.parameters" if function else "tools"
                path = "" if function and function.end() == len(error.path) else error.path
                raise _refused(field, error, path) from error
        return form, tools

    def _generation_request(
        self, messages: tuple[Message, ...], form: VettedForm | None, tools: VettedTools | None
    ) -> GenerationRequest:
        """What is asked of generation.

        The embedded engine reads slowly: it is given fewer tokens of what a search has found.
        """
        request, deployment = self._request, self._served.deployment
        search = self._services.settings.search
        embedded = isinstance(deployment.spec, LlamaCppDeployment)
        thinking = min(request.thinking, deployment.spec.thinking or request.thinking)
        if not deployment.engine.abilities.thinks:
            thinking = round(thinking * request.effort)
        return GenerationRequest(
            request_id=self._exchange.request_id,
            deployment=deployment,
            messages=messages,
            sampling=request.sampling,
            max_tokens=request.max_tokens,
            thinking=thinking,
            stops=request.stops,
            tools=tools,
            structure=form,
            search=request.search,
            search_budget=search.embedded_budget if embedded else search.budget,
            preemptible=self.card.preemptible,
            account=self._exchange.principal.member_id,
        )

    async def _refusal(self, unsafe: FinishDelta) -> Batch:
        """The answer to an unsafe conversation: no engine is asked."""
        self._timed = True  # there is no first token whose time could be told
        return Batch(time.perf_counter(), refusal(unsafe))

    async def _generate(self, answer: Answer, waited: float) -> Batch:
        """Make the answer, but for its last batch.

        For `waited` seconds, and before its places were free, others have worked: they are no time
        of the edge's.
        """
        self._begin()
        exchange = self._exchange
        edge = time.perf_counter() - exchange.body_read_at - exchange.waited - waited
        metrics.EDGE_IN.observe(edge)
        last = await answer.run(self.show)
        self.usage.first = self.usage.first or last.arrived
        return last

    def show(self, batch: Batch) -> None:
        """Emit a batch; the time to an engine's first is recorded."""
        if not self._timed:
            self._timed = True
            self.usage.first = batch.arrived
            seconds = batch.arrived - self._exchange.body_read_at
            metrics.FIRST_TOKEN.labels(self._request.model).observe(seconds)
        self._emit(batch)


async def _moderate(request: ChatRequest, moderator: Moderator) -> FinishDelta | None:
    """How an unsafe conversation is answered; `None` for a safe one.

    Looked at are the user's id, the functions, and each message. An unsafe system message, `user`
    or function raises `ApiError` (403).
    """
    texts: list[tuple[str, Place]] = [(request.user, "user"), (request.functions, "functions")]
    texts += map(_said, request.messages)
    # All at once: it is their sum that takes long.
    verdicts = await moderator.review(texts)
    for verdict, (_, place) in zip(verdicts, texts, strict=True):
        if verdict is not None:
            field = place if place in REFUSED else "conversation"
            notice(field, verdict)
            if field in REFUSED:
                raise ApiError(
                    REFUSED[field], f"the content of {field} field is invalid", param=field
                )
    said = verdicts[2:]
    return worst_of(said, request.messages) if any(said) else None


def _said(message: Message) -> tuple[str, Place]:
    """All that a message says, its name, thought and calls included, and what it is."""
    called = [text for call in message.tool_calls for text in (call.name, call.arguments)]
    text = "\n".join(filter(None, [message.content, message.name, message.thought, *called]))
    if message.role == "system":
        return text, "system"
    # What a model or a function said is no request.
    return text, "answer" if message.role in {"assistant", "tool"} else "conversation"


def cut_to_fit(
    generation: GenerationRequest, counted: Counted, limits: Limits
) -> GenerationRequest:
    """What is asked of generation, with what the context has room for. Raises `ApiError`."""
    tokens = counted.tokens
    if tokens > limits.max_input:
        raise ApiError(
            Errors.TOKENS_TOO_LONG,
            f"Prompt tokens too long: the prompt has {tokens} tokens, "
            f"the {limits.bound_by} takes at most {limits.max_input}",
            param="messages",
        )
    room = limits.context - tokens
    generation = replace(generation, search_budget=min(generation.search_budget, room // SHARE))
    room = max(1, room - generation.search_bound)
    thinking = min(generation.thinking, max(1, room // 2))
    return replace(
        generation,
        thinking=thinking,
        max_tokens=max(1, min(generation.max_tokens, limits.max_output, room - thinking)),
    )


def _refused(field: str, error: Unguaranteed, path: str) -> ApiError:
    """The keyword and its place where they are known, else the field alone."""
    where = f"{field}: {error.keyword!r}" if error.known else field
    if path:
        shown = path if len(path) <= LONGEST else f"{path[:LONGEST]}…"
        where += f" at {shown!r}"
    return ApiError(
        Errors.MALFORMED_JSON,
        f"{where} {error.reason}; an answer that keeps to it cannot be guaranteed",
        param=field.partition(".")[0].partition("[")[0],
    )
