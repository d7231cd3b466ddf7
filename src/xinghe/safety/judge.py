"""The lexicon and the operator's lists, in force at one moment: what they say of a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from xinghe.safety.lexicon import lexicon
from xinghe.safety.matcher import Matcher
from xinghe.safety.phrases import phrases_of
from xinghe.safety.requests import Requests, requests
from xinghe.safety.verdict import Verdict
from xinghe.settings import SafetyFlags

_WORST = 4

Place: TypeAlias = Literal["system", "user", "functions", "conversation", "answer"]


class Judge:
    """`builtin=False` leaves the lists alone; `flags` tell how severe the lexicon's categories are.

    `lists` are the operator's by name, as bytes.
    """

    def __init__(self, flags: SafetyFlags, *, builtin: bool, lists: Mapping[str, bytes]) -> None:
        self._flags = flags
        self._requests = requests(flags) if builtin else Requests(())
        self.matcher = Matcher((*(lexicon(flags) if builtin else ()), *phrases_of(lists)))

    def check(self, text: str, place: Place = "conversation") -> Verdict | None:
        """The most severe finding, or `None`. Takes any string, surrogates included.

        Answers are looked through for phrases alone, as while they stream: combinations of words
        tell what is asked, not what is told.
        """
        found = self.matcher.check(text)
        if place == "answer" or (found and found.flag == _WORST):
            return found
        names = set(self._requests.categories(text))
        if names and self.matcher.allows:
            names &= set(self._requests.categories(self.matcher.without_allowed(text)))
        asked = [Verdict(getattr(self._flags, name), name) for name in sorted(names)]
        return max([found, *asked], key=lambda verdict: verdict.flag if verdict else 0)
