"""What may be wrong with a call, and whose matter that is; strangers' JSON within bounds.

No message of a fault holds what was sent or answered: it is fit for the log.
"""

import enum
import errno
import functools
import re
import socket
import ssl
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding strangers' JSON raises. The texts of these errors may quote it."""
KNOWN_CODES = frozenset(
    {
        "authentication_error",
        "context_length_exceeded",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_request_error",
        "model_not_found",
        "not_found_error",
        "permission_denied",
        "rate_limit_exceeded",
        "server_error",
        "unsupported_parameter",
    }
)
"""What an error may be called in the log. Any other word may be a key, or a piece of a prompt."""
OUT_OF_FUNDS = frozenset(
    {
        "1113",
        "Arrearage",
        "account_overdue",
        "billing_hard_limit_reached",
        "exceeded_current_quota_error",
        "insufficient_balance",
        "insufficient_quota",
    }
)
"""What an empty account is called, whatever the status: Zhipu, DashScope, Qianfan, OpenAI, …"""
OWED = re.compile(
    r"(?:error: |用户|账户|账号)?(?:"
    r"insufficient[ _](?:user[ _])?(?:balance|funds|credits?"
    r"|quota(?!.{0,40}\bper (?:second|minute|hour|day)))"
    r"|billing_not_active|余额不足|欠费|api[ _]?key (?:is )?(?:not valid|invalid)"
    r"|(?:invalid|incorrect)[ _]api[ _]?key)",
    re.IGNORECASE,
)
"""How those say that it is empty, or the key is wrong, whose status says something else: Gemini,
MiniMax, OpenAI, gateways. With a status of failure they begin with it: further on, an error may
quote what a client has sent."""
UNSAFE_CODES = frozenset(
    {
        "1301",
        "DataInspectionFailed",
        "ResponsibleAIPolicyViolation",
        "SensitiveContentDetected",
        "content_filter",
        "content_policy_violation",
        "data_inspection_failed",
        "functions_unsafe",
        "system_unsafe",
        "unsafe_request",
        "user_setting_unsafe",
    }
)
"""What it is called that a server's own moderation has found: Zhipu, DashScope, Azure, Volcengine,
OpenAI, Qianfan, …"""
UNSAFE = re.compile(
    r"content management policy|content_?policy_?violation|ResponsibleAIPolicyViolation"
    r"|Content Exists Risk|may contain inappropriate|SensitiveContentDetected|new_sensitive"
    r"|\b(?:input|output|prompt|text|content|message|request|image)s? (?:\w+ ){0,2}"
    r"(?:contains?|includes?) (?:\w+ ){0,2}sensitive (?:words?|content|information|topics?)"
    r"|\bdetected (?:\w+ ){0,2}sensitive (?:words?|content|information)"
    r"|(?<!-)\bsensitive[ _](?:words?|content|information)[ _](?:(?:was|were)[ _])?detected"
    r"|\b(?:input|prompt|content|message|request) (?:was|is|has been) flagged(?:\W*$"
    r"| (?:by|for|as) (?:[\"'“]|(?:\w+ ){0,2}"
    r"(?:moderation|content|safety|policy|unsafe|inappropriate|harm|viol|sexual|hate)))"
    r"|violates? (?:our |the )?(?:usage|content|safety) (?:polic|guideline)"
    r"|violat\w{1,4} (?:\w+ )?guardrail|guardrail (?:policy )?violat"
    r"|(?:blocked|rejected|filtered)\b.{0,40}(?:content filtering policy|safety system)"
    r"|moderation_blocked|censorship_blocked|敏感词"
    r"|(?:含|涉|检测到|命中|触发|存在)[^。,,]{0,16}敏感(?:内容|信息)|审核(?:未|不)通过",
    re.IGNORECASE,
)
"""How those say it that have no code for it, or too many, and gateways before them: DeepSeek,
Volcengine, MiniMax, OpenRouter, xAI, New API, LiteLLM, …"""
OF_PROMPTS = frozenset({200, 201, 203, 400, 403, 422})
"""Statuses whose errors may be about a prompt: any other's words are about the server."""
TOO_LONG_CODES = frozenset(
    {
        "1261",
        "336007",
        "336103",
        "ContextWindowExceededError",
        "characters_too_long",
        "context_length_exceeded",
        "context_window_exceeded",
        "exceed_context_size_error",
        "input_too_long",
        "model_context_window_exceeded",
        "prompt_too_long",
        "tokens_too_long",
    }
)
"""What too long a prompt is called: Zhipu, Qianfan, LiteLLM, OpenAI, llama.cpp, …"""
TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window|size|limit)|max_model_len|max_seq_len|input length"
    r"|maximum (?:model|prompt|input|sequence) length|reduce the length of the"
    r"|(?:prompt|input)\b[^.;]{0,40}\btoo (?:long|large)|tokens? in the prompt|length of prompt"
    r"|too many (?:input |prompt )?tokens|inputs?`? tokens \+|max input characters"
    r"|exceed(?:s|ed|ing)?\b[^.;]{0,60}\b(?:token limit|number of tokens|message tokens"
    r"|max\w{0,20} length)"
    r"|input tokens? exceed|must have less than \d+ tokens"
    r"|(?:上下文|输入|提示词|prompt|(?<!_)tokens?)[^。;,]{0,20}(?:超长|过长|超出|超过)",
    re.IGNORECASE,
)
"""How servers that have no code for it say it: vLLM, SGLang, TGI, Gemini, Moonshot, DashScope, …"""
SAYING = ("message", "msg", "error", "detail", "error_msg", "status_msg")
"""Where an error may say it in words, of which so many characters are looked at."""
MOST_SAID = 2048
MOST_CALLED = 256
"""Characters of a code or a type that are looked at."""
OF_REQUESTS = frozenset({400, 413, 414, 415, 422})
"""Statuses of refusals that another server would repeat: it is the request that is refused."""
MOST_OF_ERROR = 65536
"""Bytes of an error that are looked at."""


class Whose(enum.Enum):
    """Whose matter a fault is, and so what follows. All that judges a fault asks this table."""

    REQUEST = enum.auto()
    """The same request would fail so anywhere: nobody else is asked, and nobody is blamed."""
    OPERATOR = enum.auto()
    """A key, a right or a balance: another key or server may have it, the server is well."""
    FULL = enum.auto()
    """For now: others are asked, the server is well and left alone for as long as it says."""
    AWAY = enum.auto()
    """Nobody answers, or somebody who says that it cannot: others are asked, or it once more."""
    SERVER = enum.auto()
    """It answers, and wrongly, or falls silent: others are asked."""


class CallFailed(Exception):
    """There is no answer, or not all of it."""

    whose = Whose.SERVER


class Unreachable(CallFailed):
    """The server did not begin to answer: another try may go through.

    `connected` tells that it had taken the request, or could have.
    """

    whose = Whose.AWAY

    def __init__(self, message: str, *, connected: bool) -> None:
        super().__init__(message)
        self.connected = connected


class Silent(CallFailed):
    """It said nothing for longer than it may."""


class Lost(Silent):
    """It says nothing, and does not answer a probe either."""

    whose = Whose.AWAY


class Broken(CallFailed):
    """It broke off, or did not keep to HTTP."""


class AnswerTooLarge(CallFailed):
    """It said more than it may; the message tells how many bytes those are."""

    whose = Whose.REQUEST


class Unreadable(CallFailed):
    """What it said is not what was asked for."""


class Refused(CallFailed):
    """It answered with a status that is no success, or says with one of success that it refuses.

    `body` is its error, of which only known words are told; `said` are its own, for whoever has
    just named the server and nobody else. `advice` is when to come again, in seconds, if it said
    so. At most one of four is true, which `is_known` then: it is `busy`, full for now; the prompt
    is `too_long`; its moderation calls it `unsafe`; or it is a matter `for_the_operator`, of a
    key, a right or a balance.
    """

    def __init__(self, status: int, body: bytes, advice: float | None) -> None:
        error = _error_in(body)
        if error is None:  # a page of a proxy may have any words: only a length is looked for
            called, said, pages = [], [], [body[:MOST_SAID].decode("utf-8", "replace")]
        else:
            texts = [text for name in SAYING if isinstance(text := error.get(name), str)]
            called, said, pages = _codes(error), [text[:MOST_SAID] for text in texts], []
        known = KNOWN_CODES | OUT_OF_FUNDS | TOO_LONG_CODES | UNSAFE_CODES
        told = ", ".join(dict.fromkeys(word for word in called if word in known))
        super().__init__(f"it answered {status}" + (f" ({told})" if told else ""))
        self.status = status
        self.advice = advice
        self.said = next(iter(said or pages), "")[:MOST_CALLED]
        owed = _owed(called, said, status, advice)
        self.unsafe = not owed and _unsafe(called, said, status)
        self.for_the_operator = owed or (status in {401, 402, 403} and not self.unsafe)
        self.busy = not (owed or self.unsafe) and status in {429, 503}
        settled = self.unsafe or self.for_the_operator or self.busy
        long = not TOO_LONG_CODES.isdisjoint(called)
        long = long or any(map(TOO_LONG.search, called + said + pages))
        self.too_long = long and not settled
        self.is_known = settled or self.too_long
        self.whose = self._whose()

    def _whose(self) -> Whose:
        if self.busy or self.for_the_operator:
            return Whose.FULL if self.busy else Whose.OPERATOR
        if self.too_long or self.unsafe or self.status in OF_REQUESTS:
            return Whose.REQUEST
        # 408 is what a server says to a connection that it has kept for too long.
        return Whose.AWAY if self.status >= 500 or self.status == 408 else Whose.SERVER


def kind_of(error: BaseException) -> str:
    """What an error is called: its own text may hold the request's headers, or quote the answer."""
    kind = type(error).__name__
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError | socket.gaierror):
        return kind
    name = errno.errorcode.get(error.errno or 0)
    return f"{kind}, {name}" if name else kind


def is_silence(error: Exception) -> bool:
    """Whether it is our own limit that has passed, and not the system's."""
    return isinstance(error, TimeoutError) and not error.errno


def fault_of(error: Exception, *, begun: bool) -> CallFailed:
    """What ended a connection amounts to; `begun` once there is the head of an answer."""
    if isinstance(error, CallFailed):
        return error
    kind = kind_of(error)
    if is_silence(error):
        return Silent("it fell silent" if begun else "it did not begin to answer")
    if begun:
        return Broken(f"it broke off or broke the protocol ({kind})")
    if isinstance(error, OSError):
        return Unreachable(f"it could not be reached ({kind})", connected=True)
    return Broken(f"it did not answer in HTTP ({kind})")


def _owed(called: list[str], said: list[str], status: int, advice: float | None) -> bool:
    """Whether an error says that the operator's account is empty, or the key is wrong.

    A server that is full, and says when to come again, may call its own limits a quota.
    """
    words = OWED.search if status < 300 else OWED.match
    busy = status == 429 and advice is not None
    coded = not OUT_OF_FUNDS.isdisjoint(called) or any(map(OWED.search, called))
    return coded or (not busy and any(map(words, said)))


def _unsafe(called: list[str], said: list[str], status: int) -> bool:
    """Whether an error says that the server's own moderation has found something."""
    coded = not UNSAFE_CODES.isdisjoint(called) or any(map(UNSAFE.search, called))
    return coded or (status in OF_PROMPTS and any(map(UNSAFE.search, said)))


def _error_in(data: bytes) -> dict[str, Any] | None:
    """The error that a body holds, in any of the usual forms; `None` for what is no JSON."""
    try:
        error = msgspec.json.decode(data[:MOST_OF_ERROR])
    except UNREADABLE:
        return None
    if isinstance(error, list) and error:  # as Gemini has it
        error = error[0]
    for name in ("error", "base_resp"):
        if isinstance(error, dict) and isinstance(error.get(name), dict):
            error = error[name]
    return error if isinstance(error, dict) else {}


def _codes(error: dict[str, Any]) -> list[str]:
    """What it is called, be it by a number."""
    words = [error.get(name) for name in ("code", "type", "error_code")]
    if isinstance(inner := error.get("innererror"), dict):  # Azure's
        words.append(inner.get("code"))
    return [str(word)[:MOST_CALLED] for word in words if isinstance(word, str | int)]


def decoded(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """JSON as a value of this type. Raises `Unreadable`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE:
        raise Unreadable("its answer has not the documented form") from None


def items(raw: msgspec.Raw, kind: type[T], most: int) -> list[T]:
    """The items of an array; `most` (rounded up to a power of two) is how many there may be.

    A list type would build a million of them first. Raises `Unreadable`.
    """
    wanted: Any = kind
    array = decoded(raw, _array_of(wanted, 1 << max(0, most - 1).bit_length()))
    return [item for item in msgspec.structs.astuple(array) if item is not None]


@functools.lru_cache(64)
def _array_of(kind: Any, most: int) -> type[msgspec.Struct]:
    # Written as an array, a struct with so many fields is refused at the first item too many.
    fields = [(f"item_{at}", kind | None, None) for at in range(most)]
    return msgspec.defstruct("Items", fields, array_like=True, forbid_unknown_fields=True)
