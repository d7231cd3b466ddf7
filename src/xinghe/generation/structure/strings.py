"""Strings: what a canonical schema asks of one, and the two ways to write it in a grammar.

Formats are written as regular expressions, each of which admits only what the format's RFC does.
They are narrower than the RFCs where a model gains nothing by the rest (leap seconds, IPvFuture
hosts, quoted mailboxes); what is refused here never leaves. Sections are those of JSON Schema
Validation 2020-12; the formats that libraries add to it mean what the library takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from msgspec.structs import replace

from xinghe.generation.structure.expression import PLAIN, Sequence, matching, parsed, plain
from xinghe.generation.structure.lark import CHARACTER, Lark, grammar_fault, literal, text_bound
from xinghe.generation.structure.refusals import Impossible, NoGrammar, Unsupported

STRING = frozenset({"type", "minLength", "maxLength", "pattern", "format", "allOf", "not"})
LIMITLESS = 10**9
DENSE = 2 / 3
"""The part of an ordinary text's length that a text with a pattern may have."""
LENGTHS = (24, 48, 96, 192, 384, 768, 1536)
LONG = 64
"""Characters of a text that looks ahead, unless the schema asks for more: proofs cost by them."""
THOUGHT_OF = 200
"""Characters of the texts that two patterns are compared by."""
_LETTERS = [f"[{letter}{letter.upper()}]" for letter in "abcdefghijklmnopqrstuvwxyz"]
_HAN = [rf"[\u{0x4E00 + 1400 * i:x}-\u{0x4E00 + 1400 * i + 1399:x}]" for i in range(15)]
_CHARACTERS = [*_LETTERS, *"0123456789", *_HAN]
FIRST = tuple(f"^{one}" for one in _CHARACTERS)
LAST = tuple(f"{one}$" for one in _CHARACTERS)
"""Marks of texts, of which no two are found at one end of a text."""
TRIED = 24
"""Bytes of the text that shows whether a terminal can be followed."""
_BYTES = LLTokenizer("byte")

_MONTH_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_YEAR = r"(?:[1-9][0-9]{3})"
_LEAP_YEARS = r"(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)"
_DATE = rf"(?:{_YEAR}-{_MONTH_DAY}|{_LEAP_YEARS}-02-29)"
_TIME = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LABEL = r"[a-z0-9](?:[a-z0-9]{0,30}[a-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL}){{0,4}}\.[a-z]{{2,12}}"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_GROUP = r"[0-9a-f]{1,4}"
_PATH = r"(?:/[A-Za-z0-9._~-]{0,60}){0,8}"
_QUERY = r"(?:\?[A-Za-z0-9._~=&-]{0,120})?"
_FRAGMENT = r"(?:#[A-Za-z0-9._~-]{0,60})?"
_URI = rf"(?:https?|ftp)://{_HOST}(?::[1-9][0-9]{{0,3}})?{_PATH}{_QUERY}{_FRAGMENT}"
_NUMBER = r"(?:0|[1-9][0-9]{0,5})"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_EMAIL = rf"[a-z0-9_+-]{{1,30}}(?:\.[a-z0-9_+-]{{1,30}}){{0,1}}@{_HOST}"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_SHORT6 = rf"{_GROUP}(?::{_GROUP}){{0,3}}::{_GROUP}(?::{_GROUP}){{0,2}}"
_IPV6 = rf"(?:{_GROUP}(?::{_GROUP}){{7}}|{_SHORT6}|::1)"
_INTERFACE4 = rf"{_IPV4}/(?:[12]?[0-9]|3[0-2])"
_INTERFACE6 = rf"{_IPV6}/(?:[1-9]?[0-9]|1[01][0-9]|12[0-8])"
_NETWORK4 = rf"{_OCTET}\.{_OCTET}\.0\.0/(?:1[6-9]|2[0-9]|3[0-2])"  # no bit behind the prefix
_NETWORK6 = rf"{_GROUP}(?::{_GROUP}){{0,3}}::/(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-8])"
_BASE64 = r"(?:[A-Za-z0-9+/]{4}){0,200}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"

FORMATS = {
    "date": _DATE,  # 7.3.1
    "time": _TIME,
    "date-time": rf"{_DATE}T{_TIME}",
    "duration": (
        rf"P(?:{_NUMBER}D|{_NUMBER}W|{_NUMBER}Y(?:{_NUMBER}M(?:{_NUMBER}D)?)?"
        rf"|{_NUMBER}M(?:{_NUMBER}D)?|(?:{_NUMBER}D)?T(?:{_NUMBER}H(?:{_NUMBER}M(?:{_NUMBER}S)?)?"
        rf"|{_NUMBER}M(?:{_NUMBER}S)?|{_NUMBER}S))"
    ),
    "email": _EMAIL,  # 7.3.2
    "idn-email": _EMAIL,
    "hostname": _HOST,  # 7.3.3
    "idn-hostname": _HOST,
    "ipv4": _IPV4,  # 7.3.4
    "ipv6": _IPV6,
    "uri": _URI,  # 7.3.5
    "uri-reference": rf"(?:{_URI}|/[A-Za-z0-9._~-]{{0,60}}{_PATH}{_QUERY}{_FRAGMENT})",
    "iri": _URI,
    "iri-reference": rf"(?:{_URI}|/[A-Za-z0-9._~-]{{0,60}}{_PATH}{_QUERY}{_FRAGMENT})",
    "uuid": _UUID,
    "uri-template": _URI,  # 7.3.6
    "json-pointer": r"(?:/[A-Za-z0-9._-]{1,40}){1,8}",  # 7.3.7
    "relative-json-pointer": r"(?:0|[1-9][0-9]{0,2})(?:#|(?:/[A-Za-z0-9._-]{1,40}){0,8})",
    "regex": r"\^?[A-Za-z0-9_ -]{1,80}\$?",  # 7.3.8
    "byte": _BASE64,  # OpenAPI
    # Pydantic's, beside the standard's
    **{
        f"uuid{version}": f"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}"
        "-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        for version in range(1, 9)
    },
    "ipvanyaddress": rf"(?:{_IPV4}|{_IPV6})",
    "ipvanyinterface": rf"(?:{_INTERFACE4}|{_INTERFACE6})",
    "ipvanynetwork": rf"(?:{_NETWORK4}|{_NETWORK6})",
    "ipv4interface": _INTERFACE4,
    "ipv6interface": _INTERFACE6,
    "ipv4network": _NETWORK4,
    "ipv6network": _NETWORK6,
    "base64url": r"(?:[A-Za-z0-9_-]{4}){0,200}(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?",
    "name-email": _EMAIL,
    "multi-host-uri": _URI,
    "phone": r"\+[1-9][0-9]{6,14}",
    "fraction": r"-?(?:0|[1-9][0-9]{0,8})(?:/[1-9][0-9]{0,8})?",
    # Zod's
    "guid": _UUID,
    "url": _URI,
    "base64": _BASE64,
    "cidrv4": _INTERFACE4,
    "cidrv6": _INTERFACE6,
    "e164": r"\+[1-9][0-9]{6,14}",
    "cuid": r"c[a-z0-9]{24}",
    "cuid2": r"[a-z][a-z0-9]{23}",
    "ulid": r"[0-7][0-9A-HJKMNP-TV-Z]{25}",
    "xid": r"[0-9a-v]{20}",
    "ksuid": r"[A-Za-z0-9]{27}",
    "nanoid": r"[A-Za-z0-9_-]{21}",
    "emoji": r"[\u{1F600}-\u{1F64F}]{1,4}",
}

FREE = frozenset(
    {
        "password", "binary", "unknown",  # OpenAPI 3.0
        "path", "file-path", "directory-path",  # Pydantic
        "text", "textarea", "markdown", "commonmark", "html",  # forms, OpenAPI's registry
    }
)  # fmt: skip
"""Formats that are annotations: any text will do."""


class Text(msgspec.Struct, frozen=True):
    """A string of `low` to `high` characters in which all `patterns` are found and no `barred`
    one, and which is none of the literals `taken`."""

    low: int
    high: int
    patterns: tuple[tuple[Sequence, ...], ...] = ()
    barred: tuple[tuple[Sequence, ...], ...] = ()
    taken: tuple[str, ...] = ()

    def leaf(self) -> dict[str, Any] | None:
        """As a schema for the JSON compiler; `None` where that cannot say it."""
        plains = [plain(pattern) for pattern in self.patterns]
        if self.barred or self.taken or None in plains:
            return None
        schema: dict[str, Any] = {
            "type": "string", "minLength": self.low, "maxLength": self.high,
        }  # fmt: skip
        return schema | ({"allOf": [{"pattern": one} for one in plains]} if plains else {})

    def terminal(self) -> str:
        """As a terminal's body; beside patterns, without characters that JSON must escape.

        Raises `NoGrammar`.
        """
        others = [f"~({' | '.join(self.taken)})"] if self.taken else []
        if not self.patterns and not self.barred:
            return " & ".join([f'/"{CHARACTER}{{{self.low},{self.high}}}"/', *others])
        high = min(self.high, max(LONG, 2 * self.low))
        parts = [f'/"{PLAIN}{{{self.low},{high}}}"/']
        parts += [f'("\\"" {matching(pattern)})' for pattern in self.patterns]
        parts += [f'~("\\"" {matching(pattern)})' for pattern in self.barred]
        body = " & ".join([*parts, *others])
        _tried(body)
        return body

    def rule(self, lark: Lark) -> str:
        """The name of a rule for it."""
        leaf = self.leaf()
        return lark.terminal(self.terminal()) if leaf is None else lark.leaf(leaf)

    def possible(self) -> bool:
        """Whether a grammar can hold to it, and some text fits."""
        try:
            return not self.fault()
        except NoGrammar:
            return False

    def fault(self) -> str:
        """What llguidance has against it by itself; raises `NoGrammar`."""
        lark = Lark()
        return grammar_fault(lark.text(self.rule(lark)))


def text(node: dict[str, Any], tokens: float) -> Text:
    """What a canonical string schema asks for; `tokens` bound what is unbounded.

    Raises `NoGrammar`.
    """
    if extra := set(node) - STRING:
        raise Unsupported(min(extra))
    low = int(node.get("minLength", 0))
    parts = [node, *node.get("allOf", [])]
    barred: list[tuple[Sequence, ...]] = []
    taken: list[str] = []
    for part in parts:
        excluded = part.get("not", {})
        if set(excluded) - {"const", "enum", "pattern"} or len(excluded) > 1:
            raise Unsupported("not")
        if "pattern" in excluded:
            barred.append(parsed(excluded["pattern"], wide=True))
        elif excluded:
            values = excluded.get("enum", [excluded.get("const")])
            taken += [literal(value) for value in values if isinstance(value, str)]
    patterns = tuple(parsed(pattern) for part in parts for pattern in _patterns(part))
    bound = text_bound(tokens)
    if patterns:
        # What one repeats may be digits, each a token, and no small model stops by itself.
        bound = max(int(bound * DENSE), length_for(patterns))
    high = min(int(node.get("maxLength", LIMITLESS)), max(bound, 2 * low))
    if low > high:
        raise Impossible("minLength", f"is more than the maxLength {high}")
    return Text(low, high, patterns, tuple(barred), tuple(taken))


@lru_cache(maxsize=256)
def length_for(patterns: tuple[tuple[Sequence, ...], ...]) -> int:
    """Characters among which there is a text with all patterns; 0 if none is found."""
    return next((length for length in LENGTHS if Text(0, length, patterns).possible()), 0)


def _patterns(part: dict[str, Any]) -> Iterator[str]:
    """The regular expressions of a part, its format's among them."""
    if extra := set(part) - STRING:
        raise Unsupported(min(extra))
    if "pattern" in part:
        yield part["pattern"]
    name = part.get("format")
    if name is None or name in FREE:
        return
    if name not in FORMATS:
        raise Unsupported("format", f"is {name!r}, which is not one of {', '.join(FORMATS)}")
    yield f"^(?:{FORMATS[name]})$"


def held(pattern: str) -> bool:
    """Whether a grammar can hold to a pattern, and some text fits it."""
    try:
        return length_for((parsed(pattern),)) > 0
    except Unsupported:
        return False


def disjoint(first: str, second: str) -> bool:
    """Whether it is proved that no text fits both patterns; `False` where it is not known."""
    try:
        return "Regex is empty" in Text(0, THOUGHT_OF, (parsed(first), parsed(second))).fault()
    except Impossible:
        return True
    except Unsupported:
        return False


@lru_cache(maxsize=256)
def text_parts(wanted: Text, marks: tuple[str, ...]) -> tuple[Text, ...]:
    """The texts in which each of `marks` (patterns) is found, where there are any.

    Kept, as it takes up to 100 ms and a schema asks for the same again.
    """
    some = replace(wanted, low=max(wanted.low, 1))
    if some.low > some.high:
        return ()
    parted = [replace(some, patterns=(*wanted.patterns, parsed(mark))) for mark in marks]
    return tuple(part for part in parted if part.possible())


def _tried(body: str) -> None:
    """Follow a terminal for a while, as the engine will.

    Raises `Impossible` for one that admits nothing, and `Unsupported` where the engine's library
    gives up, as it does where proofs grow large.
    """
    grammar = LLMatcher.grammar_from_lark(f"start: T\nT: {body}")
    matcher = LLMatcher(_BYTES, grammar, log_level=0)
    mask = allocate_token_bitmask(1, _BYTES.vocab_size)
    for step in range(TRIED):
        if matcher.is_error() or matcher.is_stopped():
            break
        fill_next_token_bitmask(matcher, mask)
        allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")[:256])
        if len(allowed) == 0:
            if step == 0 and not matcher.is_error():
                raise Impossible("pattern", "leaves no text that fits")
            break
        # From the middle: letters rather than marks.
        matcher.consume_token(int(allowed[len(allowed) // 2]))
    if matcher.is_error():
        raise Unsupported("pattern", "takes too long to hold to")
