"""Whatever a pattern's grammar admits fits the pattern, for ECMA-262 and for Python alike."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from random import Random

import jsonschema_rs
import pytest
from llguidance import LLMatcher

from tests.kit.matcher import TOKENIZER, walk
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.structure import structured

CHARACTERS = "a3A_-.[]&~^$中٣é\u00a0\ufeff\u2028\u0085\r\n\t😀 \x0b\x1c\u180eſ"


def admits(grammar: str, text: str) -> bool:
    matcher = LLMatcher(TOKENIZER, LLMatcher.grammar_from_lark(grammar), log_level=0)
    for byte in text.encode():
        if matcher.is_stopped() or not matcher.try_consume_tokens([byte]):
            return False
    return bool(matcher.is_accepting())


def admitted(pattern: str, text: str) -> bool:
    grammar = structured({"type": "string", "pattern": pattern}, max_tokens=64).constraint.grammar
    return admits(grammar, json.dumps(text, ensure_ascii=False))


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d$", r"^\D$", r"^\w$", r"^\W$", r"^\s$", r"^\S$", r"^.$", r"^[^\d]$", r"^[^\w]$",
        r"^[^\s]$", r"^[\s\d]$", r"^[^\S]$", r"^[^\D]$", r"^(?=\S).$", r"^(?i:A)$",
        r"^(?!\d)..$", r"^(?!\s).$",
    ],
)  # fmt: skip
def test_a_class_is_kept_by_every_reading(pattern: str) -> None:
    grammar = structured({"type": "string", "pattern": pattern}, max_tokens=64).constraint.grammar
    for text in [*CHARACTERS, "a\n", "3٣", "", "aa"]:
        if admits(grammar, json.dumps(text, ensure_ascii=False)):
            assert jsonschema_rs.is_valid({"pattern": pattern}, text), ascii(text)
            assert re.search(pattern, text), ascii(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^[[]$", "["), (r"^[&&~~]$", "~"), (r"^\x41\u0042\u{43}$", "ABC"),
        (r"^[a-z\-.]+$", "a-."), (r"^\_\/\-$", "_/-"),
        (r"^a+?b*?c??$", "aab"), (r"^(?<year>\d{4})$", "2024"), (r"^[\u4e00-\u9fa5]+$", "中文"),
        (r"(^a|b)c", "xbc"), (r"^(a|b$)", "axx"), (r"(?=.*b)a", "xab"), (r"^(?!ab)a", "ac"),
        (r"^(?:x(?=y)|z)y$", "xy"), (r"^\p{Lu}\p{Script=Han}$", "A中"), (r"(?i)^ABC$", "aBc"),
        (r"^a(?!.*b$)", "aba"), (r"^\t$", "\t"), ("", "anything"),
    ],
)  # fmt: skip
def test_taken(pattern: str, text: str) -> None:
    assert admitted(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^[a[b]]$", "a"), (r"^(?!ab)a", "ab"), (r"^(?!.*\.\.)[a.]+$", "a..a"),
        (r"^(?=.*\d)[a-z0-9]+$", "abc"), (r"^(?:x(?=y)|z)y$", "xz"), (r"^a(?!.*b$)", "aab"),
        (r"(?=.*b)a", "ba"), (r"(^a|b)c", "xac"),
    ],
)  # fmt: skip
def test_not_admitted(pattern: str, text: str) -> None:
    """Not by the grammar, or where that cannot tell, not by the check that follows."""
    with suppress(Unguaranteed):  # a refusal is as good
        structure = structured({"type": "string", "pattern": pattern}, max_tokens=64)
        assert not structure.exact or not admits(structure.constraint.grammar, json.dumps(text))
        assert structure.check(json.dumps(text)) is not None


@pytest.mark.parametrize(
    ("pattern", "exact"),
    [
        (r"^(?=.*\d)(?=.*[a-z])\w{8,}$", True), (r"^(?=ab)a.$", True), (r"^(?=a|b)(a|b)$", True),
        (r"^a(?=b)b$", False), (r"(?=.*b)a", False), (r"^(?=a).|^b$", False),
        (r"^(?=a(?!b)).*$", False), (r"^(?=.*[A-Z])(?=.*[a-z])(?=.*\d)(?=.*[!@#]).{8,}$", False),
        (r"^(?!^[-+.]*$)[+-]?\d*\.?\d*$", True), (r"^(?!\s*$).+", True), (r"^(?!\d)\w+$", True),
        (r"^(?!-)(?!.*\s).{3,}$", True), (r"^(?!-).+|-$", False), (r"^(?!a).$", False),
        (r"^(?!.*--)[a-z-]+$", True), (r"^(?!admin$).*$", False),
    ],
)  # fmt: skip
def test_what_may_follow_the_beginning_is_held_to_if_narrower_texts_do_and_all_else_checked(
    pattern: str, exact: bool
) -> None:
    structure, rng = structured({"type": "string", "pattern": pattern}, max_tokens=64), Random(7)
    assert structure.exact is exact
    texts = [walk(structure.constraint.grammar, rng, soft=20) for _ in range(5 * exact)]
    assert not [text for text in texts if text is None or structure.check(text)]


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bone\b", r"^(a)\1$", r"(?<=a)b", r"(?<!a)b", r"a^b$c", r"^\k<a>$",
        r"^(?=a)b$", r"^(?m)a", r"a++", r"^[z-a]$", r"^x{2$",
    ],
)  # fmt: skip
def test_refused_by_name(pattern: str) -> None:
    with pytest.raises(Unguaranteed) as refusal:
        structured({"type": "string", "pattern": pattern}, max_tokens=64)
    assert refusal.value.keyword == "pattern"


def test_what_a_pattern_repeats_leaves_room_for_the_end() -> None:
    """Digits are a token each, so 64 tokens hold fewer."""
    assert admitted(r"^\d+$", "1" * 40)
    assert not admitted(r"^\d+$", "1" * 64)
