"""The vocabulary that every package speaks: read this file first.

A request becomes an `EngineRequest`; an engine answers it with batches of `Delta`s;
a `Usage` is what a request has used; a `Rate` of the catalog turns it into micro-Tokens.
"""

import enum
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from xinghe.text_run import TextRun

MICRO = 1_000_000
"""Micro-Tokens in one Token (Tokens are the platform's unit of account, section 1.2)."""
LAST = 253_402_300_799 * MICRO
"""The last second of the year 9999, in microseconds since 1970: no later time can be told."""

INITIAL_GRANT = 1_000_000 * MICRO
"""What a new wallet of a member is granted, in micro-Tokens (section 1.2)."""


def tokens(micro: int) -> Decimal:
    """Micro-Tokens as Tokens, without trailing zeros."""
    value = Decimal(micro).scaleb(-6)
    return value.quantize(Decimal(1)) if value == value.to_integral() else value.normalize()


ACCOUNT: ContextVar[str] = ContextVar("account", default="")
"""For whose request a task works: queues of work that a client can size take accounts in turn.
Empty where the service works for itself."""


class FinishReason(enum.StrEnum):
    """Why an answer ended, in the documented dialect (4.1.3); `refusal` is the model's own."""

    NORMAL = "normal"
    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    FUNCTION_CALL = "function_call"
    REFUSAL = "refusal"


class ToolCall(msgspec.Struct, frozen=True):
    """A call that the model made; `arguments` is the JSON text of an object."""

    id: str
    name: str
    arguments: str


class Picture(msgspec.Struct, frozen=True):
    """An image whose bytes were seen to be what `media_type` says; sizes in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation that passed validation.

    `content` is all of its text, and `has_content` false where null was sent for it. `parts` is
    set only where pictures stand among the text: the same text and the pictures, in order.
    `thought` is the chain of thought behind an earlier answer, where the client sent it back.
    """

    role: str
    content: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    parts: tuple[str | Picture, ...] = ()
    has_content: bool = True
    thought: str = ""


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call; `parameters` is the JSON Schema of its arguments.

    `strict` is for an upstream: here, arguments always keep to the schema.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool | None = None


class ToolUse(msgspec.Struct, frozen=True):
    """The tools of a request, one or more, and how they may be used.

    `only` names those that may be called, one or more, where not all may. `parallel` says whether
    there may be several calls; `None`, that nothing was said of it, which allows them.
    """

    tools: tuple[Tool, ...]
    choice: Literal["auto", "required"] = "auto"
    only: frozenset[str] | None = None
    parallel: bool | None = None

    def allows(self, name: str) -> bool:
        """Whether a function of this name may be called, if there is one."""
        return self.only is None or name in self.only


class Constraint(msgspec.Struct, frozen=True):
    """What a generated text must match.

    `grammar` is Lark text for llguidance; `schema` says the same as a JSON Schema, for engines
    that take only those (`None` for any object, and where no schema can say it). `about` is what
    the request says of its schema: `name`, `description`, `strict`. `formal` tells that its text
    repeats itself by nature, as JSON does: then no repeat penalty holds.
    """

    grammar: str
    schema: dict[str, Any] | None = None
    about: dict[str, Any] = {}
    formal: bool = True


class Source(msgspec.Struct, frozen=True):
    """A document that an answer rests on (section 4.1.3, search_results); `index` is from 1."""

    index: int
    url: str
    title: str


class Sampling(msgspec.Struct, frozen=True):
    """How tokens are drawn; `None` leaves the choice to the engine.

    `penalty_score` multiplies the deployment's own repeat penalty.
    """

    temperature: float | None = None
    top_p: float | None = None
    penalty_score: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None


class Thinking(msgspec.Struct, frozen=True):
    """What a request says of the chain of thought, `None` for nothing: whether there is to be one
    (`on`), of how many tokens at most, and with what effort (`none` to `xhigh`)."""

    on: bool | None = None
    budget: int | None = None
    effort: str | None = None


class Prompt(msgspec.Struct, frozen=True):
    """What an engine is about to read.

    `tokens`, 1 or more, is what the prompt costs unless the engine reports otherwise, `bound` the
    most that it can cost: the two agree where the engine's own tokenizer counted (`exact`).
    `payload` is the engine's own form of the prompt, opaque to every other package. `thinks` tells
    that the prompt has opened a chain of thought, so that the text begins within it. `ours` are
    tokens beside those: the platform's own words, for which nobody pays.
    """

    tokens: int
    bound: int
    exact: bool
    payload: object = None
    thinks: bool = False
    ours: int = 0


class EngineRequest(msgspec.Struct, frozen=True):
    """One pass of an engine: the prompt, how to sample, and the most to generate (1 or more).

    A `preemptible` one yields to those that queue. One with `priority` continues an answer that has
    begun: it goes before all that wait. What an engine has read for the `account` that asks is read
    again for no other (`None`: for none). Nobody sees a `whole` one before its end. One that
    `has_stand_in` another deployment would take: it waits for no engine that is away. `thinking` is
    for an engine that thinks by itself. `logprobs`: how many of the likeliest tokens are told of at
    the place of each (`None`: nothing is). `in_runs`: texts that come together may be a `TextRun`.
    """

    request_id: str
    prompt: Prompt
    sampling: Sampling
    max_tokens: int
    preemptible: bool = False
    priority: bool = False
    constraint: Constraint | None = None
    account: int | None = None
    whole: bool = False
    has_stand_in: bool = False
    thinking: Thinking = Thinking()
    logprobs: int | None = None
    in_runs: bool = False


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token of an answer, and how likely it was: the natural logarithm of its probability.

    `bytes` may end within a character. `top` are the likeliest at its place, the first first.
    """

    token: str
    bytes: bytes
    logprob: float
    top: "tuple[TokenLogprob, ...]" = ()


class TextDelta(msgspec.Struct, frozen=True):
    """A fragment of the answer, how many tokens it took, and, where asked for, of these."""

    text: str
    tokens: int = 1
    logprobs: tuple[TokenLogprob, ...] = ()


class ReasoningDelta(msgspec.Struct, frozen=True):
    """A fragment of the chain of thought."""

    text: str
    tokens: int = 1


class RefusalDelta(msgspec.Struct, frozen=True):
    """A fragment of what the model says in the answer's place, as it will not answer."""

    text: str
    tokens: int = 1


class ToolCallDelta(msgspec.Struct, frozen=True):
    """A fragment of call number `index`: its `id` and `name` come first, then its arguments."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    tokens: int = 0


class SearchingDelta(msgspec.Struct, frozen=True):
    """A search has begun (section 5.4, `enable_status`), for `query`."""

    query: str = ""


class SourcesDelta(msgspec.Struct, frozen=True):
    """What the search found, before the answer that rests on it."""

    sources: tuple[Source, ...]


class NothingFoundDelta(msgspec.Struct, frozen=True):
    """The search has found nothing, or has `failed`: the answer rests on no sources."""

    failed: bool = False


class UsageDelta(msgspec.Struct, frozen=True):
    """The engine's own count, which replaces ours: all are totals of the pass.

    `reasoning_tokens` are part of the completion; `None` if it did not count them apart.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int | None = None


CURRENT_ROUND = -1
"""`ban_round` of the question that is being answered, and of the answer itself."""


class FinishDelta(msgspec.Struct, frozen=True):
    """The last delta of a pass.

    `flag` (1–4, 0 is safe) and `ban_round` say what moderation found (section 4.1.3); `stop` is the
    stop string that ended the answer, empty if none did.
    """

    reason: FinishReason
    flag: int = 0
    ban_round: int = 0
    stop: str = ""


class PrefillDelta(msgspec.Struct, frozen=True):
    """The engine has begun to read the prompt: from here on the prompt is owed."""


Delta: TypeAlias = (
    TextDelta | TextRun | ReasoningDelta | RefusalDelta | ToolCallDelta | SearchingDelta
    | SourcesDelta | NothingFoundDelta | UsageDelta | FinishDelta | PrefillDelta
)  # fmt: skip


class Usage(msgspec.Struct, eq=False):
    """What one request has used so far; written by generation, read by the ledger.

    All counts are totals over the passes of the request. `reasoning_tokens` are part of
    `completion_tokens`; `cached_tokens` and `search_tokens` (what searches put into a prompt) are
    part of `prompt_tokens`; `searches` counts the web searches that were made. `discarded_tokens`
    are those of drafts that nobody saw: they cost nothing, and count for the Tokens a minute.

    `started` turns true when an engine has begun work: before that, a disconnect costs the
    searches at most. `left` tells that the client went: a cancellation without it is our own
    doing. `arrived` and `first` are when the request had arrived and when its first token had, by
    `time.perf_counter` (0: not known); `finish` says why an answer ended that did.
    """

    left: bool = False
    started: bool = False
    shown: bool = False
    finished: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    discarded_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    search_tokens: int = 0
    searches: int = 0
    arrived: float = 0.0
    first: float = 0.0
    finish: str = ""

    @property
    def owes(self) -> bool:
        """Whether anything was done that is owed although the answer never ended."""
        return self.started or self.searches > 0


class Busy(Exception):
    """There is no room for this work now; `retry_after` is in seconds. The text is for the log."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ClientGone(Exception):
    """The client left before its answer was complete: what was generated is owed."""
