"""Citations in a streamed answer (section 5.4): `^[1]^`, `^[1][2]^`, and nothing else.

However the text is cut into reads, what comes out joined is the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from xinghe.core import Delta, FinishDelta, TextDelta, ToolCallDelta
from xinghe.search.terms import terms

_STOP = re.compile(r"[^\[【`。！？!?\n.^]+")
"""Text in which nothing begins that matters here."""
_ENDS = frozenset("。！？!?\n")
_SENTENCE_CHARACTERS = 600
"""Of a sentence without an end, these last ones are compared with the sources."""


class CitationFilter:
    """An output processor that holds back only what may be a citation, or the place for one.

    `evidence[i]` is what source i + 1 says. With `enabled`, citations get the documented form,
    those of sources that do not exist go, and a sentence without one gets that of the source that
    says the same. Without it, all of them go. The tokens of a text that is held back go with the
    next one.
    """

    __slots__ = (
        "_before",
        "_cited",
        "_enabled",
        "_fence",
        "_held",
        "_inline",
        "_last",
        "_marked",
        "_pending",
        "_sentence",
        "_support",
        "_tokens",
        "_valid",
    )

    def __init__(self, evidence: Sequence[str], *, enabled: bool) -> None:
        self._enabled = enabled
        self._valid = len(evidence)
        self._support = Support(evidence) if enabled else None
        self._cited: dict[int, None] = {}
        self._held = ""
        self._before = ""  # The last two characters that went out.
        self._sentence = ""  # What went out since the last end of a sentence.
        self._marked = False  # Whether that has a citation.
        self._pending: list[int] = []  # Cited before the sentence that it is for.
        self._last: int | None = None  # The source that the line cited last.
        self._fence = self._inline = False  # Within code.
        self._tokens = 0  # Of what is held back.

    @property
    def cited(self) -> tuple[int, ...]:
        """The sources that the answer cites, in order of their first citation."""
        return tuple(self._cited)

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta):
                self._tokens += delta.tokens
                text = self.feed(delta.text)
            elif isinstance(delta, FinishDelta | ToolCallDelta):
                text = self.flush()  # what was said before a call comes before it
            else:
                out.append(delta)
                continue
            ended = not isinstance(delta, TextDelta)
            if text or (ended and self._tokens):
                out.append(TextDelta(text, self._tokens))
                self._tokens = 0
            if ended:
                out.append(delta)
        return out

    def feed(self, text: str) -> str:
        """What may be shown now."""
        self._held += text
        return self._run(ended=False)

    def flush(self) -> str:
        """What was held back, once the answer has ended."""
        return self._run(ended=True) + self._own_citation()

    def _run(self, *, ended: bool) -> str:
        out: list[str] = []
        text, at = self._held, 0
        while at < len(text):
            plain = _STOP.match(text, at)
            if plain is not None:
                out.append(self._say(plain[0]))
                at = plain.end()
                continue
            step = self._step(text, at, ended)
            if step is None:
                break
            shown, at = step
            out.append(shown)
        self._held = text[at:]
        return "".join(out)

    def _step(self, text: str, at: int, ended: bool) -> tuple[str, int] | None:
        """What becomes of the character at a position; `None`: more text must tell."""
        char = text[at]
        if char == "`":
            end = _run_end(text, at, "`")
            if end == len(text) and not ended:
                return None
            return self._code(text[at:end]), end
        if char in OPENERS:
            return self._citation(text, at, ended)
        if not self._enabled:
            return self._say(char), at + 1
        if at + 1 == len(text) and not ended:
            return None
        return self._end_of_sentence(text, at), at + 1

    def _citation(self, text: str, at: int, ended: bool) -> tuple[str, int] | None:
        end = at
        while end < len(text) and end - at < LONGEST and text[end] in RUN:
            end += 1
        if end == len(text) and not ended:
            return None
        mark = None if self._fence or self._inline else mark_at(text, at, self._before)
        if mark is None:
            return self._say(text[at]), at + 1
        return self._cite(mark.numbers), mark.end

    def _cite(self, numbers: Sequence[int]) -> str:
        kept = [each for each in dict.fromkeys(numbers) if 1 <= each <= self._valid]
        if not self._enabled or not kept:
            return ""
        if not self._before.strip():
            # Models put it in front of a line too; it belongs to that line's first sentence.
            self._pending = kept
            return ""
        self._cited |= dict.fromkeys(kept)
        # Behind a full stop, it belongs to the sentence before.
        self._marked = self._marked or bool(self._sentence.strip())
        self._last, self._before = kept[-1], "]^"
        return "^" + "".join(f"[{each}]" for each in kept) + "^"

    def _end_of_sentence(self, text: str, at: int) -> str:
        char, after = text[at], text[at + 1 : at + 2]
        if char == "." and not (after == "" or after.isspace()):
            return self._say(char)
        # A citation that the model itself puts behind its full stop is enough.
        own = "" if after and after in OPENERS else self._own_citation()
        self._sentence, self._marked = "", False
        self._before = (self._before + char)[-2:]
        if char == "\n":
            self._last, self._inline = None, False
        return own + char

    def _own_citation(self) -> str:
        if self._pending and self._sentence.strip():
            numbers, self._pending = self._pending, []
            return "" if self._marked else self._cite(numbers)
        if self._marked or self._fence or self._inline or self._support is None:
            return ""
        source = self._support.source_of(self._sentence)
        if source is None or source == self._last:
            return ""
        return self._cite((source,))

    def _code(self, ticks: str) -> str:
        if len(ticks) >= 3:
            self._fence = not self._fence
        elif not self._fence:
            self._inline = not self._inline
        return self._say(ticks)

    def _say(self, text: str) -> str:
        self._before = (self._before + text)[-2:]
        self._sentence = (self._sentence + text)[-_SENTENCE_CHARACTERS:]
        return text


def _run_end(text: str, at: int, char: str) -> int:
    while at < len(text) and text[at] == char:
        at += 1
    return at


RUN = frozenset("0123456789[]^【】,,、 来源资料")
"""The characters that citations are made of, however they are written."""
OPENERS = frozenset("^[【")
LONGEST = 64
"""Characters of one run of citations; what is longer is text."""

# Only characters of RUN may stand here: a match must not depend on what follows its run.
_ONE = r"[0-9]{1,3}(?: ?[,,、] ?[0-9]{1,3})*"
_SURE = (
    rf"\^\[ ?{_ONE} ?\](?: ?\[ ?{_ONE} ?\])*\^?"  # ^[1]^, ^[1][2]^, ^[1]
    rf"|\[\^{_ONE}\^?\]"  # [^1]
    rf"|【 ?(?:来源|资料)? ?{_ONE} ?】"  # 【1】
    rf"|\[(?:来源|资料) ?{_ONE}\]"  # [来源1]
)
_BARE = rf"\[[0-9]{{1,3}}\](?: ?\[[0-9]{{1,3}}\])*\^?|\^{_ONE}\^"  # [1], [1][2], ^1^
_GROUP = re.compile(rf"(?:{_SURE}|{_BARE})(?: ?(?:{_SURE}|{_BARE}))*")
_NUMBER = re.compile(r"[0-9]{1,3}")
_DOUBTFUL = re.compile(r"\[[0-9]|\^[0-9]")

_CODE_BEFORE = re.compile(r"[\w\])\"'`]$|[=(<>+*/:-] ?$", re.ASCII)
"""After these, `[1]` may be an index or a list."""
_CODE_AFTER = frozenset("([:=.+*/<>-")


class Mark(msgspec.Struct, frozen=True):
    """Citations that stand together: the numbers they name, and where they end."""

    numbers: tuple[int, ...]
    end: int


def mark_at(text: str, at: int, before: str) -> Mark | None:
    """The citations that begin at a position, if it is certain that they are some.

    `before` ends with the two characters in front of it, fewer at the beginning. `text` reaches
    at least one character beyond the run, unless it ends there.
    """
    found = _GROUP.match(text, at, at + LONGEST)
    if found is None:
        return None
    if _DOUBTFUL.match(found[0]):
        after = text[found.end() : found.end() + 1]
        if _CODE_BEFORE.search(before) or (after and after in _CODE_AFTER):
            return None
    return Mark(tuple(map(int, _NUMBER.findall(found[0]))), found.end())


LEAST_TERMS = 6
"""A sentence of fewer terms says too little to be told from chance."""
LEAST_SHARE = 0.5
"""The share of a sentence's terms that a source must hold."""


class Support:
    """The sources' terms, cut once. `evidence[i]` is what source i + 1 says."""

    __slots__ = ("_sources",)

    def __init__(self, evidence: Sequence[str]) -> None:
        self._sources = [_terms(text) for text in evidence]

    def source_of(self, sentence: str) -> int | None:
        """The number of the source that supports a sentence best, if one does."""
        said = _terms(sentence)
        if len(said) < LEAST_TERMS:
            return None
        shares = [len(said & source) / len(said) for source in self._sources]
        best = max(shares, default=0.0)
        return shares.index(best) + 1 if best >= LEAST_SHARE else None


def _terms(text: str) -> set[str]:
    return {term for term in terms(text) if len(term) > 1}
