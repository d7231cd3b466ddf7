"""Finds unsafe requests by the words that stand together in a sentence, whatever their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from xinghe.safety.alphabet import LEET, PLAIN, Alphabet
from xinghe.safety.combinations import Combination, combinations
from xinghe.safety.folding import fold_quickly
from xinghe.safety.matcher import may_be_leet_text
from xinghe.safety.words import alone, trie
from xinghe.settings import SafetyFlags

NEAR = 48
"""Folded characters on either side of a first word in which the others may stand."""
_SENTENCE = re.compile(r"[。！？!?;；\n\r…]+|\.(?=\s)")
_SHORTEST = 4
"""Fewer characters between two ends are no sentence: 制。造。炸。弹 is one."""


class Requests:
    """A set of combinations, ready to be looked for; never changed once made."""

    def __init__(self, rules: Iterable[Combination]) -> None:
        known: dict[str, list[Combination]] = {}
        for rule in rules:
            for word in rule.first:
                known.setdefault(word, []).append(rule)
        # A longer word is found in place of the shorter ones within it: it stands for them too.
        self._rules = {
            word: [rule for part in sorted(_parts(word) & known.keys()) for rule in known[part]]
            for word in known
        }
        latin = [word for word in known if word.isascii()]
        others = [word for word in known if not word.isascii()]
        patterns = [trie(others)] if others else []
        patterns += [alone(f"(?P<latin>{trie(latin)})")] if latin else []
        self._first = re.compile("|".join(patterns) or "(?!)")

    def categories(self, text: str) -> Iterator[str]:
        """The category of each combination found; the same one may come again."""
        for alphabet in (PLAIN, LEET) if may_be_leet_text(text) else (PLAIN,):
            if self._first.search(fold_quickly(text, alphabet)):
                for sentence in _sentences(text, alphabet):
                    yield from self._in_sentence(sentence)

    def _in_sentence(self, sentence: str) -> Iterator[str]:
        for match in self._first.finditer(sentence):
            around = sentence[max(0, match.start() - NEAR) : match.end() + NEAR]
            for rule in self._rules[match["latin"] or match[0]]:
                if rule.stands_in(around):
                    yield rule.category


def _parts(word: str) -> set[str]:
    size = len(word)
    return {word[low:high] for low in range(size) for high in range(low + 1, size + 1)}


@cache
def requests(flags: SafetyFlags) -> Requests:
    """Those that come with the package, of the categories whose flag is not 0."""
    return Requests(rule for rule in combinations() if getattr(flags, rule.category))


def _sentences(text: str, alphabet: Alphabet) -> Iterator[str]:
    """The folded sentences of a text; what is too short for one goes with what follows."""
    begun = ""
    at = 0
    for end in _SENTENCE.finditer(text):
        begun += fold_quickly(text[at : end.start()], alphabet)
        at = end.end()
        if len(begun) >= _SHORTEST:
            yield begun
            begun = ""
    yield begun + fold_quickly(text[at:], alphabet)
