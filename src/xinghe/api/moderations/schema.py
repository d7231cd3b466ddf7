"""What `POST /v1/moderations` takes and answers, in OpenAI's shape."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.api.chat.conversation import PicturePart, TextPart
from xinghe.api.errors import ApiError, Errors, refuse, unsupported
from xinghe.api.validation import AnyUser, Form, Request
from xinghe.safety import Verdict

MODEL = "xinghe-moderation"
MANY, CHARACTERS = 64, 100_000
"""Texts of a request, and their characters together."""
INPUT = "a string, a list of strings, or a list of parts {type: text, text}"
TEXTS = "要检查的文本。 What is to be looked through."

OURS = {
    "harassment": (),
    "harassment/threatening": (),
    "hate": ("hate",),
    "hate/threatening": (),
    "illicit": (
        "drugs", "fraud", "forgery", "gambling", "hacking", "personal_data", "weapons",
    ),
    "illicit/violent": ("weapons",),
    "self-harm": ("self_harm",),
    "self-harm/intent": (),
    "self-harm/instructions": (),
    "sexual": ("sexual", "minors"),
    "sexual/minors": ("minors",),
    "violence": ("violence",),
    "violence/graphic": (),
}  # fmt: skip
"""Which of our categories each of OpenAI's holds; what we do not tell apart is always false."""


class ModerationRequest(Request, kw_only=True):
    """`model` may be anything: there is one moderation, the service's own."""

    model: Annotated[str, Meta(max_length=200)] | None = None
    input: Annotated[
        str | Annotated[list[str | TextPart | PicturePart], Meta(min_length=1, max_length=MANY)],
        Meta(description=TEXTS, extra={"allowed": f"{INPUT}, of at most {MANY}"}),
    ]
    user: AnyUser | None = None
    user_id: AnyUser | None = None


MODERATIONS: Form[ModerationRequest] = Form(ModerationRequest)


class ModerationResult(msgspec.Struct):
    """A score is 1 where something was found, else 0: there are findings, no likelihoods."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[Literal["text"]]]


class Moderation(msgspec.Struct):
    """A result for each text; the parts of a list are one text."""

    id: str
    model: str
    results: list[ModerationResult]


def read_texts(request: ModerationRequest) -> list[str]:
    """What is to be looked through. Raises `ApiError`."""
    sent = [request.input] if isinstance(request.input, str) else request.input
    strings = [each for each in sent if isinstance(each, str)]
    if len(strings) not in (0, len(sent)):
        raise refuse("input", sent, INPUT)
    texts = strings or ["\n".join(_parts(sent))]
    characters = sum(map(len, texts))
    if characters > CHARACTERS:
        raise ApiError(
            Errors.CHARACTERS_TOO_LONG,
            f"the max input characters is {CHARACTERS}, input has {characters}",
            param="input",
        )
    return texts


def _parts(sent: list[Any]) -> Iterator[str]:
    for at, part in enumerate(sent):
        if isinstance(part, PicturePart):
            raise unsupported(
                f"input[{at}]", f"input[{at}] is a picture, which is not looked at; allowed: texts"
            )
        yield part.text


def result(verdict: Verdict | None) -> ModerationResult:
    """What a finding is called by OpenAI; one of an operator's list has no category there."""
    found = set[str]()
    if verdict is not None:
        said = verdict.category.removeprefix("upstream/")
        found = {theirs for theirs, ours in OURS.items() if said in (theirs, *ours)}
    return ModerationResult(
        verdict is not None,
        {name: name in found for name in OURS},
        {name: float(name in found) for name in OURS},
        {name: ["text"] for name in OURS},
    )
