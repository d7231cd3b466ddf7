"""The lexicon's notation: choices, terms, gaps and shields, and what is wrong in it."""

from __future__ import annotations

import pytest

from xinghe.safety.folding import PLAIN, fold
from xinghe.safety.lexicon import LexiconError, lexicon, read_phrases
from xinghe.safety.matcher import Matcher
from xinghe.safety.phrases import Phrase


def rows(source: str) -> Matcher:
    lines = read_phrases(source, {})
    return Matcher([Phrase(slots, 0 if shields else 3, "test") for slots, shields in lines])


def test_choices_terms_and_shields() -> None:
    watch = rows("x = 甲|乙丙\n# 丁\n{买|}<x>{|了}戊\n! 甲戊己")
    for text in ("甲戊", "买甲戊", "乙丙了戊", "买乙丙了戊"):
        assert watch.check(text) is not None, text
    for text in ("乙戊", "甲了了戊", "丁", "甲戊己", "买乙"):
        assert watch.check(text) is None, text


def test_a_gap_is_no_wider_than_it_says_and_ends_with_the_clause() -> None:
    watch = rows("怎么[3]炸弹")
    for text in ("怎么炸弹", "怎么做炸弹", "怎么 做 个 炸弹", "怎么做个大炸弹"):
        assert watch.check(text) is not None, text
    for text in ("怎么做一个大炸弹", "怎么了，炸弹", "怎么了\n炸弹"):
        assert watch.check(text) is None, text


BROKEN = ["{甲|乙", "甲}", "<x>", "[3]甲", "甲[3]", "{|}", "甲[x]乙", "甲|乙", "!", "甲[99]乙"]


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_refused(line: str) -> None:
    with pytest.raises(LexiconError):
        list(read_phrases(line, {}))


def test_every_row_of_the_lexicon_is_written_in_the_folded_form() -> None:
    for phrase in lexicon():
        assert all(phrase.words(0)) or len(phrase.slots) > 1
        for longest in (True, False):
            text = ""
            for at in range(len(phrase.slots)):
                # A gap beside a space is filled by a word, else by a character.
                words = phrase.words(at) or ("a" if text.endswith(" ") else "甲",)
                text += (max if longest else min)(words, key=len)
            assert fold(text, PLAIN) == text
