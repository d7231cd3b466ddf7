"""Which source says what a sentence says: for models that forget to cite."""

from __future__ import annotations

from collections.abc import Sequence

from xinghe.search.terms import terms

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
