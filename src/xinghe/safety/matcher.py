"""What the lexicon and the operator's lists say of a text, whole or while it streams.

Finds phrases whatever stands between their characters, what shields them, and the words that make
an unsafe request where they stand together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xinghe.safety.combinations import Combinations
from xinghe.safety.lexicon import combinations_by, lexicon
from xinghe.safety.lists import phrases_of
from xinghe.safety.phrases import Automaton, Phrase
from xinghe.safety.scan import Scan
from xinghe.safety.verdict import Place, Verdict
from xinghe.settings import SafetyFlags

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


class Matcher:
    """A set of phrases, ready to be looked for; never changed once made."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        known = tuple(phrases)
        self.size = sum(phrase.size for phrase in known)
        self.allows = any(phrase.own and not phrase.flag for phrase in known)
        self._automaton = Automaton(known)

    def scan(self, text: str = "") -> Scan:
        """A look at a text, or at what will be read of one."""
        scan = Scan(self._automaton)
        scan.read(text)
        return scan

    def check(self, text: str) -> Verdict | None:
        """The most severe finding, the earliest of equals."""
        scan = self.scan(text)
        scan.end()
        worst = max(scan.found, key=lambda hit: (hit.phrase.flag, -hit.start), default=None)
        return worst.verdict if worst else None

    def without_allowed(self, text: str) -> str:
        """A text without what the operator's exceptions cover."""
        scan = self.scan(text)
        scan.end()
        rest, at = "", 0
        for hit in sorted(scan.shields, key=lambda hit: hit.start):
            if hit.phrase.own:
                rest += text[at : max(at, hit.start)]
                at = max(at, hit.end)
        return rest + text[at:]


class StreamScanner:
    """Feeds text through up to the first finding, however it is cut into chunks.

    That is the phrase that begins first; its verdict is the most severe of those that begin
    there. Text that no phrase can end in passes at once.
    """

    __slots__ = ("_held", "_scan", "_verdict")

    def __init__(self, matcher: Matcher) -> None:
        self._scan = matcher.scan()
        self._held = ""
        self._verdict: Verdict | None = None

    def feed(self, text: str) -> tuple[str, Verdict | None]:
        """What may be shown now, and the finding that ends the answer, if there is one."""
        if self._verdict or not text:
            return "", self._verdict
        self._scan.read(text)
        return self._look(self._held + text)

    def flush(self) -> tuple[str, Verdict | None]:
        """What was held back, once the engine has ended, and the finding in it, if any."""
        if not self._verdict:
            self._scan.end()
        return self._look(self._held)

    def _look(self, text: str) -> tuple[str, Verdict | None]:
        scan = self._scan
        size = len(text) - (scan.at - scan.safe)
        self._held = text[size:]
        self._verdict = scan.verdict
        return text[:size], self._verdict
