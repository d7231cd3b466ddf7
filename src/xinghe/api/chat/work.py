"""One chat as `priced.Work`: moderated, vetted, counted, cut to fit, and then generated.

Where nothing of an answer has been sent and a deployment cannot serve it, the next of the model's
`fallback` does, under the same hold: all that depends on an engine is prepared anew for it.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import msgspec
from msgspec.structs import replace

from xinghe.api.chat.capabilities import NOTE, OCR
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.response import LOOKED_UP
from xinghe.api.chat.screening import screen
from xinghe.api.chat.served import Served, cut_to_fit
from xinghe.api.chat.vetted import check_wanted, vetted
from xinghe.api.errors import ApiError
from xinghe.api.exchange import Exchange, check_whole
from xinghe.api.priced import Prepared, Services
from xinghe.catalog import LlamaCppDeployment, ModelCard
from xinghe.core import FinishDelta, Message, Usage
from xinghe.dispatch import CANNOT_SERVE, Chain, Unfit
from xinghe.engines import Batch
from xinghe.generation.answer import Answer
from xinghe.generation.choices import Choices
from xinghe.generation.moderation import refusal
from xinghe.generation.planning import Counted, GenerationRequest, count
from xinghe.generation.runner import PassRunner
from xinghe.generation.vetting import VettedForm, VettedTools
from xinghe.observe import live, metrics

SERVED_BY = "x-served-by"


class Sink(Protocol):
    """Where an answer goes as it is made."""

    def emit(self, choice: int, batch: Batch) -> None:
        """Take what may be shown of an answer."""

    def begin(self) -> None:
        """Hear that the work begins: until then a refusal has a status of its own."""

    def tell(self, served_by: str) -> None:
        """Hear who makes the answer, before the first of it."""

    def forget(self, choices: Sequence[int], usage: Usage) -> bool:
        """Forget what was made of these answers, and keep what was looked up; False where any of it
        has left, which their usage tells where it leaves as it is made.
        """


class ChatWork(msgspec.Struct, eq=False):
    """One chat, of which the deployment that `chain.now` names is asked."""

    _services: Services
    _exchange: Exchange
    _request: ChatRequest
    _chain: Chain[Served]
    _sink: Sink
    card: ModelCard
    stream: bool
    usage: Usage
    tokens: int
    counts: tuple[str, ...] = (
        "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "search_tokens",
    )  # fmt: skip
    _timed: bool = False
    _told: bool = False
    _held: bool = False

    def __post_init__(self) -> None:
        if not self._chain.has_others:
            self._tell()

    @property
    def used(self) -> int:
        usage = self.usage
        return usage.prompt_tokens + usage.completion_tokens + usage.discarded_tokens

    @property
    def by_own(self) -> bool:
        return self._chain.now is self._chain.own

    @property
    def n(self) -> int:
        """How many answers it makes."""
        return self._request.n

    @property
    def in_turn(self) -> bool:
        """Whether it is made by the embedded engine, which others of the request wait for."""
        return self._chain.now.engine.abilities.constraints == "grammar"

    async def prepare(self) -> Prepared[list[Batch]]:
        """Moderate what was asked and count it: what is left to do is to generate."""
        services, request = self._services, self._request
        unsafe = await screen(request, services.moderator)
        # After moderation: unsafe functions are refused as such by every model.
        check_wanted(request, self._chain.now, self._exchange.dialect)
        if unsafe is not None:
            return Prepared(partial(self._refusal, unsafe))
        messages = await self._loaded()
        began = time.perf_counter()
        generation, counted = await self._laid_out(messages, messages)
        waited = time.perf_counter() - began
        answer = Answer(PassRunner(services, generation, self.usage, counted.charge), counted)
        several = Choices(answer, request.n)
        return Prepared(
            partial(self._generate, several, waited),
            self.card.rate.cost(
                several.prompts * (counted.bound + generation.search_bound),
                request.n * (generation.thinking + generation.max_tokens),
                searches=int(generation.search is not None),
            ),
            counted.tokens,
            generation.max_tokens if request.n == 1 else 0,
        )

    async def count(self) -> int:
        """How many tokens its prompt has, be it too long; nothing is moderated, held or made.

        Raises as `prepare` does.
        """
        check_wanted(self._request, self._chain.now, self._exchange.dialect)
        messages = await self._loaded()
        _, counted = await self._laid_out(messages, messages, cut=False)
        return counted.tokens

    async def _loaded(self) -> tuple[Message, ...]:
        """The conversation with its pictures."""
        request, messages = self._request, self._request.messages
        if request.shows:
            messages = await self._services.pictures.load(
                messages, self._exchange.reserve, request.fields.pictures
            )
        check_whole(self._exchange)  # a picture that is too large has been refused as such
        return messages

    async def _laid_out(
        self,
        messages: tuple[Message, ...],
        read: tuple[Message, ...],
        *,
        searched: bool = False,
        cut: bool = True,
    ) -> tuple[GenerationRequest, Counted]:
        """What is asked of generation on the first deployment that can serve it, from now on.

        `read` are the messages as an engine reads them, with what was `searched`. Raises
        `ApiError` for what does not fit the model's own deployment, unless it is not to be `cut`,
        and as `Chain.after` does.
        """
        chain = self._chain
        while True:
            try:
                generation = self._generation_request(messages, *await self._vetted())
                if searched:
                    generation = replace(generation, search_budget=0)  # it stands in what is read
                counted = await count(replace(generation, messages=read))
                if cut:
                    generation = cut_to_fit(generation, counted, chain.now.limits)
                return generation, counted
            except CANNOT_SERVE as fault:
                chain.after(fault, self._stands_in)
            except ApiError as refused:
                if chain.now is chain.own:
                    raise
                chain.after(Unfit(str(refused)), self._stands_in)

    def _stands_in(self, other: Served) -> bool:
        return other.stands_in(self._chain.own, self._request)

    async def _vetted(self) -> tuple[VettedForm | None, VettedTools | None]:
        """What the answer will be held to, of a request with a format or tools.

        Schemas are vetted before anything is counted or reserved, at nobody's cost: no work is
        done for a member who could not pay for the least of answers. Raises `ApiError` for a
        schema that cannot be guaranteed, or where too many wait, and `InsufficientTokens`.
        """
        account = str(self._exchange.principal.member_id)
        vetting, served = self._services.vetting, self._chain.now
        return await vetted(vetting, self._request, served, account, self._cover)

    async def _cover(self) -> None:
        """Raise `InsufficientTokens` where nothing is held, and nothing could be."""
        if not self._held:
            least = self.card.rate.cost(1, 1, searches=int(self._request.search is not None))
            exchange = self._exchange
            await self._services.ledger.cover(exchange.principal, exchange.model, least)

    def _generation_request(
        self, messages: tuple[Message, ...], form: VettedForm | None, tools: VettedTools | None
    ) -> GenerationRequest:
        """What is asked of generation.

        The embedded engine reads slowly: it is given fewer tokens of what a search has found.
        """
        request, deployment = self._request, self._chain.now.deployment
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
            whole=not self.stream,
            has_stand_in=self._chain.has_stand_in(self._stands_in),
            asked=request.asked,
            logprobs=request.logprobs,
        )

    async def _refusal(self, unsafe: FinishDelta) -> list[Batch]:
        """The answer to an unsafe conversation: no engine is asked."""
        self._timed = True  # there is no first token whose time could be told
        now = time.perf_counter()
        return [Batch(now, refusal(unsafe)) for _ in range(self._request.n)]

    async def _generate(self, answers: Choices, waited: float) -> list[Batch]:
        """Make the answers, but for the last batch of each.

        For `waited` seconds, and before its places were free, others have worked: they are no time
        of the edge's.
        """
        self._held = True
        self._sink.begin()
        exchange = self._exchange
        edge = time.perf_counter() - exchange.body_read_at - exchange.waited - waited
        metrics.EDGE_IN.observe(edge)
        while True:
            try:
                lasts = await answers.run(self.show)
            except CANNOT_SERVE as fault:
                if not self._sink.forget(range(answers.n), self.usage):
                    raise
                answers = Choices(await self._made_anew(answers.answer, fault), answers.n)
            else:
                break
        self.usage.first = self.usage.first or lasts[0].arrived
        return lasts

    async def _made_anew(self, answer: Answer, fault: Exception) -> Answer:
        """The answer by the next deployment that can serve it. Raises as `Chain.after` does.

        It makes no more than what the hold is for. What is more of the prompt by another's count
        is the operator's loss.
        """
        self._chain.after(fault, self._stands_in)
        asked, searched = answer.runner.request, answer.runner.found is not None
        generation, counted = await self._laid_out(
            asked.messages, answer.messages, searched=searched
        )
        self._timed = self._told = False
        held = replace(
            generation,
            thinking=min(generation.thinking, asked.thinking),
            max_tokens=min(generation.max_tokens, asked.max_tokens),
            search_budget=min(generation.search_budget, asked.search_budget),
        )
        return answer.handed_on(held, counted)

    def show(self, choice: int, batch: Batch) -> None:
        """Emit a batch; who makes the answer is told before, and the time to an engine's first."""
        if not self._timed:
            self._timed = True
            self.usage.first = batch.arrived
            seconds = batch.arrived - self._exchange.body_read_at
            metrics.child(metrics.FIRST_TOKEN, self._request.model).observe(seconds)
            live.WINDOW.first_token(self._request.model, seconds)
        if not self._told and not all(isinstance(delta, LOOKED_UP) for delta in batch.deltas):
            self._tell()
        self._sink.emit(choice, batch)

    def _tell(self) -> None:
        self._told = True
        engine = self._chain.now.engine
        read_out = self._request.shows and not engine.abilities.vision
        note = f", {NOTE}" if engine.abilities.note else ""
        self._sink.tell(engine.served_by + note + (f", {OCR}" if read_out else ""))
