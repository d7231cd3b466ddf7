"""What `POST /v1/completions` takes and answers: OpenAI's older form, of one text."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.api.chat.response import CompletionUsage
from xinghe.api.chat.schema import (
    ANSWER,
    INT64,
    NOT_SERVED,
    SEED,
    STOP,
    TEMPERATURE,
    TOP_P,
    UP_TO_4,
    FrequencyPenalty,
    LogitBias,
    LongStop,
    PenaltyScore,
    PresencePenalty,
    Stream,
    StreamOptions,
    UpTo8,
)
from xinghe.api.error_form import RenamedParams
from xinghe.api.errors import ApiError, refuse, unsupported
from xinghe.api.validation import AnyUser, Form, ModelName, NotEmpty, OnlyFalse, Request

DEFAULT_TOKENS = 16
"""Of an answer, as OpenAI has it."""
MOST_PROMPTS = MOST_ANSWERS = 16
"""Of a request; each prompt has `n` answers."""
PROMPT = f"a string that is not empty, or a list of 1 to {MOST_PROMPTS}"
LOGPROBS = (
    "给出每个 token 的对数概率，以及每个位置最可能的几个。 "
    "Tell how likely each token was, and how many of the likeliest in its place."
)
BEST_OF = "与 n 相同。 The same as n."


class CompletionRequest(Request, kw_only=True):
    """The prompt is asked as what a user says: the models chat, and continue no text."""

    model: ModelName
    temperature: Annotated[float, Meta(ge=0, le=2, description=TEMPERATURE)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1, description=TOP_P)] | None = None
    penalty_score: PenaltyScore | None = None
    frequency_penalty: FrequencyPenalty | None = None
    presence_penalty: PresencePenalty | None = None
    seed: Annotated[int, Meta(ge=-INT64 - 1, le=INT64, description=SEED)] | None = None
    max_tokens: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=INT64,
                description=ANSWER,
                extra_json_schema={"default": DEFAULT_TOKENS},
            ),
        ]
        | None
    ) = None
    n: UpTo8 | None = None
    best_of: Annotated[int, Meta(ge=1, le=8, description=BEST_OF)] | None = None
    echo: Annotated[OnlyFalse, Meta(description=NOT_SERVED)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5, description=LOGPROBS)] | None = None
    suffix: Annotated[str, Meta(description=NOT_SERVED)] | None = None
    logit_bias: LogitBias | None = None
    stream: Stream | None = None
    stream_options: StreamOptions | None = None
    stop: (
        Annotated[LongStop | Annotated[list[LongStop], UP_TO_4], Meta(description=STOP)] | None
    ) = None
    prompt: Annotated[
        NotEmpty | Annotated[list[NotEmpty], Meta(min_length=1, max_length=MOST_PROMPTS)],
        Meta(
            description="要问的话；几句各自回答。 What is asked; several are answered each.",
            extra={"allowed": PROMPT},
        ),
    ]
    user: AnyUser | None = None
    user_id: AnyUser | None = None

    @property
    def prompts(self) -> list[str]:
        """What is asked, in order."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        """Token ids are named as such."""
        first = value[0] if isinstance(value, list) and value else value
        first = first[0] if isinstance(first, list) and first else first
        within = path.startswith("prompt[")
        if (within or (path == "prompt" and isinstance(value, list))) and type(first) is int:
            return refuse(
                "prompt", [first], f"{PROMPT}; token ids are not taken, send the text itself"
            )
        return super().refusal(path, value, allowed)


COMPLETIONS: Form[CompletionRequest] = Form(CompletionRequest)


class TextLogprobs(msgspec.Struct):
    """Of the tokens of `text`: `text_offset` is where in it each begins, in characters.

    `top_logprobs` tells of the likeliest in the place of each, and of itself; null where none were
    asked for.
    """

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class TextChoice(msgspec.Struct):
    """`finish_reason` is null until the last chunk of a stream, `logprobs` unless asked for."""

    text: str
    index: int
    logprobs: TextLogprobs | None
    finish_reason: str | None


class TextCompletion(msgspec.Struct):
    """An answer, or an event of a stream, whose last has usage and no choices if that is asked."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: CompletionUsage | UnsetType | None = UNSET


COMPLETION_ERRORS = RenamedParams({"messages": "prompt"})


def check_served(request: CompletionRequest) -> None:
    """Raises `ApiError` for what chatting engines have not."""
    for name, none in (("suffix", ("", None)), ("echo", (False, None))):
        if getattr(request, name) not in none:
            raise unsupported(
                name, f"{name} is not supported: the prompt is asked of a model that chats"
            )
    asked, n = len(request.prompts), request.n or 1
    if asked * n > MOST_ANSWERS:
        raise refuse("n", n, f"{MOST_ANSWERS // asked} at most with {asked} prompts")
    if request.best_of not in (None, request.n or 1):
        raise unsupported(
            "best_of",
            f"best_of is {request.best_of}, allowed: {request.n or 1}, as n: none is chosen",
        )
