"""What the lexicon and the operator's lists say of a text.

Finds phrases whatever stands between their characters, what shields them, and the words that make
an unsafe request where they stand together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from xinghe.safety.combinations import Combinations
from xinghe.safety.folding import (
    LEET,
    LEET_TEXT,
    LEETISH,
    MAX_GAP,
    PLAIN,
    STRONG,
    Alphabet,
    Folded,
    fold,
    fold_quickly,
)
from xinghe.safety.lexicon import combinations_by, lexicon
from xinghe.safety.lists import phrases_of
from xinghe.safety.phrases import Automaton, Phrase, whole
from xinghe.safety.verdict import Place, Verdict
from xinghe.settings import SafetyFlags

_SEGMENT = 4096
_WORST = 4


class Judge:
    """The lexicon and the operator's lists, in force at one moment.

    `builtin=False` leaves the lists alone; `flags` tell how severe the lexicon's categories are.
    `lists` are the operator's by name, as bytes.
    """

    def __init__(self, flags: SafetyFlags, *, builtin: bool, lists: Mapping[str, bytes]) -> None:
        self._flags = flags
        self._combinations = combinations_by(flags) if builtin else Combinations(())
        self.matcher = Matcher((*(lexicon(flags) if builtin else ()), *phrases_of(lists)))

    def check(self, text: str, place: Place = "conversation") -> Verdict | None:
        """The most severe finding, or `None`. Takes any string, surrogates included.

        Answers are looked through for phrases alone, as while they stream: combinations of words
        tell what is asked, not what is told.
        """
        found = self.matcher.check(text)
        if place == "answer" or (found and found.flag == _WORST):
            return found
        names = set(self._combinations.categories(text))
        if names and self.matcher.allows:
            names &= set(self._combinations.categories(self.matcher.without_allowed(text)))
        for name in sorted(names):
            flag = getattr(self._flags, name)
            if found is None or flag > found.flag:
                found = Verdict(flag, name)
        return found


class Hit(msgspec.Struct, frozen=True):
    """A phrase in a text, at the raw extent `[start, end)`."""

    start: int
    end: int
    phrase: Phrase

    def shields(self, other: Hit) -> bool:
        return (
            self.start <= other.start
            and other.end <= self.end
            and self.phrase.own >= other.phrase.own
        )

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.phrase.flag, self.phrase.category)


class View:
    """One way to read a text: an alphabet, and the phrases that are looked for under it."""

    def __init__(self, alphabet: Alphabet, phrases: Iterable[Phrase]) -> None:
        self.alphabet = alphabet
        self.walk = Automaton([*phrases]).walk

    def may_hit(self, text: str) -> bool:
        """Quick: false only where `hits` finds no banned phrase."""
        walk = self.walk(fold_quickly(text, self.alphabet))
        return any(phrase.flag for _, _, state in walk for phrase in state.ended)

    def hits(self, raw: str, folded: Folded) -> Iterator[Hit]:
        """All phrases, banned and shielding, in a text and its folded form.

        Of the leet view, only those that a digit or a sign had a part in.
        """
        for start, end, state in self.walk(folded.text):
            if state.ended and whole(folded.text, end):
                low, high = folded.starts[start], folded.ends[end - 1]
                if self.alphabet is PLAIN or LEET_TEXT.search(raw[low:high]):
                    for phrase in state.ended:
                        if _is_together(folded, start, end, phrase):
                            yield Hit(low, high, phrase)

    def begun(self, folded: Folded, low: int) -> tuple[int | None, int | None]:
        """The raw indices, from `low` up, of the earliest unfinished ban and of such a shield.

        In a text that is `open`, a whole phrase at the end counts as unfinished: it may yet turn
        out to be the beginning of a longer word, and so no phrase at all.
        """
        ban: int | None = None
        shield: int | None = None
        size = len(folded.text)
        if folded.tail > MAX_GAP:
            return ban, shield
        for start, end, state in self.walk(folded.text):
            at = folded.starts[start]
            if end < size or at < low:
                continue
            ended = state.ended if folded.open else ()
            if ban is None and (state.bans or any(phrase.flag for phrase in ended)):
                ban = at
            if shield is None and (state.shields or any(not phrase.flag for phrase in ended)):
                shield = at
        return ban, shield


class Matcher:
    """A set of phrases, ready to be looked for; never changed once made."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        known = tuple(phrases)
        latin = [phrase for phrase in known if phrase.is_leet]
        self.size = sum(phrase.size for phrase in known)
        self.allows = any(phrase.own and not phrase.flag for phrase in known)
        self._plain = View(PLAIN, known)
        self._leet = View(LEET, latin)
        self._extent = max((phrase.longest for phrase in known), default=0)

    def views(self, text: str, *, ended: bool) -> tuple[View, ...]:
        """The ways in which a text must be read: as leet only where it is, or may become, leet."""
        leet = (LEET_TEXT if ended else LEETISH).search(text)
        return (self._plain, self._leet) if leet else (self._plain,)

    def is_idle(self, text: str) -> bool:
        """Quick: true only where no phrase stands in a text, nor begins at its end."""
        if LEETISH.search(text):
            return False
        return next(self._plain.walk(fold_quickly(text, PLAIN)), None) is None

    def check(self, text: str) -> Verdict | None:
        """The most severe finding, the earliest of equals."""
        if not any(view.may_hit(text) for view in self.views(text, ended=True)):
            return None
        worst = max(
            self._findings(text), key=lambda hit: (hit.phrase.flag, -hit.start), default=None
        )
        return worst.verdict if worst else None

    def without_allowed(self, text: str) -> str:
        """A text without what the operator's exceptions cover."""
        folded = fold(text, PLAIN)
        rest, at = "", 0
        for hit in sorted(self._plain.hits(text, folded), key=lambda hit: hit.start):
            if hit.phrase.own and not hit.phrase.flag:
                rest += text[at : max(at, hit.start)]
                at = max(at, hit.end)
        return rest + text[at:]

    def _findings(self, text: str) -> Iterator[Hit]:
        # The exact look costs more than the quick one: only the neighbourhood of a hit pays it.
        margin = (self._extent + 1) * (MAX_GAP + 1)
        for low in range(0, len(text), _SEGMENT):
            begin = max(0, low - margin)
            piece = text[begin : low + _SEGMENT + margin]
            views = self.views(piece, ended=True)
            if any(view.may_hit(piece) for view in views):
                for hit in _unshielded(piece, views):
                    if low <= begin + hit.start < low + _SEGMENT:
                        yield Hit(begin + hit.start, begin + hit.end, hit.phrase)


def _unshielded(text: str, views: Iterable[View]) -> list[Hit]:
    """The banned phrases in a text that nothing shields."""
    hits = [hit for view in views for hit in view.hits(text, fold(text, view.alphabet))]
    shields = [hit for hit in hits if not hit.phrase.flag]
    return [
        hit
        for hit in hits
        if hit.phrase.flag and not any(shield.shields(hit) for shield in shields)
    ]


def _is_together(folded: Folded, start: int, end: int, phrase: Phrase) -> bool:
    """Whether the ends of clauses inside a hit were put there to break it up.

    结冰。毒蛇 has no 冰毒 in it; 买，卖，冰，毒 has every character parted, and a longer phrase
    seldom arises from the end of one clause and the beginning of the next, unless it has gaps.
    """
    joints = folded.joints[start + 1 : end]
    if STRONG not in joints:
        return True
    size = end - start - folded.text.count(" ", start, end)
    return (size >= 5 and not phrase.is_loose) or (size >= 3 and "" not in joints)
