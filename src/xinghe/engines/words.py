"""What one delta or message of a server says: a thought, a text, a refusal, in its many forms."""

from typing import Any

import msgspec

from xinghe.core import ReasoningDelta, RefusalDelta, TextDelta
from xinghe.engines.fields import NULL
from xinghe.outbound import Unreadable, decoded, items

MOST_PARTS = 128
"""Of one content."""


class _Part(msgspec.Struct):
    """Of a content that is a list (Mistral), or of a thought (MiniMax; Bedrock's is one alone)."""

    text: Any = None
    refusal: Any = None
    thinking: msgspec.Raw = NULL


class Fields(msgspec.Struct):
    """A delta or a message. A thought is `reasoning_content` to DeepSeek, `reasoning` to vLLM."""

    content: msgspec.Raw = NULL
    reasoning_content: msgspec.Raw = NULL
    reasoning: msgspec.Raw = NULL
    reasoning_details: msgspec.Raw = NULL
    thinking: msgspec.Raw = NULL
    refusal: msgspec.Raw = NULL
    tool_calls: msgspec.Raw = NULL
    function_call: msgspec.Raw = NULL


_text = msgspec.json.Decoder(str).decode
NOTHING = Fields()
Words = dict[type[ReasoningDelta | TextDelta | RefusalDelta], str]


def words_of(said: Fields) -> Words:
    thought, text, refusal = _content_of(said.content)
    named = (said.reasoning_content, said.reasoning, said.reasoning_details, said.thinking)
    for raw in named:
        if raw is not NULL and not thought:
            thought = _content_of(raw)[1]
    if said.refusal is not NULL:
        refusal = refusal or _content_of(said.refusal)[1]
    return {ReasoningDelta: thought, TextDelta: text, RefusalDelta: refusal}


def _content_of(raw: msgspec.Raw, *, thought: bool = True) -> tuple[str, str, str]:
    """The thought, the text and the refusal of a content: a text, a part, or a list of these."""
    match bytes(raw)[:1]:
        case b'"':
            return "", _text(raw), ""
        case b"{":
            parts: list[_Part | str] = [decoded(raw, _Part)]
        case b"[":
            kind: Any = _Part | str
            parts = items(raw, kind, MOST_PARTS)
        case b"n" | b"f":
            return "", "", ""
        case b"t":
            raise Unreadable("a content is no text")
        case _:
            return "", bytes(raw).decode(), ""  # a number, as languages with loose types have it
    each = [_Part(part) if isinstance(part, str) else part for part in parts]
    # Inside of a thought none is looked for, however deep they are nested.
    thoughts = [_content_of(part.thinking, thought=False)[1] for part in each] if thought else []
    texts = [part.text for part in each if isinstance(part.text, str)]
    refusals = [part.refusal for part in each if isinstance(part.refusal, str)]
    return "".join(thoughts), "".join(texts), "".join(refusals)
