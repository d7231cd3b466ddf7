"""Search in the local corpus: terms and meaning, fused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import apsw
import structlog

from xinghe.search.corpus import Corpus, address
from xinghe.search.embedder import Embedder
from xinghe.search.fusion import fuse
from xinghe.search.provider import Found, SearchFailed
from xinghe.search.terms import coverage, match_expression, query_terms, terms
from xinghe.search.vectors import Vectors
from xinghe.storage import StorageError

log = structlog.get_logger(__name__)

VECTOR_SECONDS = 2.0
"""What the vector of a question may take: it is made at idle priority, and terms find most."""
CANDIDATES = 60
"""Passages of each ranking."""
A_DOCUMENT = 4
"""Passages at most that speak for one document."""
LEAST_COVERAGE = 0.25
"""The share of a question's terms that a passage with its titles must hold to be a result."""
WEIGHTS = (4.0, 2.0, 1.0)
"""Of title, heading and body in BM25."""

_TERMS = "SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY bm25(terms, ?, ?, ?), rowid LIMIT ?"
_PASSAGE = (
    "SELECT c.name, c.url, c.public, d.id, d.path, d.title, p.position, p.heading, p.text "
    "FROM passages p JOIN documents d ON d.id = p.document_id "
    "JOIN collections c ON c.id = d.collection_id WHERE p.id = ?"
)


class LocalProvider:
    """`base_url` is where readers reach the service: its own pages stand in sources too.

    `least_cosine` is how near in meaning a passage must be that shares no words with the
    question; it depends on the embedding model. `searched` is called at every search.
    """

    name = "local"

    def __init__(
        self,
        corpus: Corpus,
        base_url: str,
        embedder: Embedder | None = None,
        least_cosine: float = 0.878,
        searched: Callable[[], None] = lambda: None,
    ) -> None:
        self._corpus = corpus
        self._base_url = base_url
        self._embedder = embedder
        self._least_cosine = least_cosine
        self._searched = searched
        self._vectors = Vectors()

    async def search(self, query: str, number: int) -> list[Found]:
        self._searched()
        vector: list[float] = []
        if self._embedder is not None:
            try:
                async with asyncio.timeout(VECTOR_SECONDS):
                    (vector,) = await self._embedder.embed([query], "query")
            except Exception as error:  # Whatever ails it, the terms find most.
                log.warning("search_without_embedding", error=repr(error))
        try:
            return await self._corpus.read(
                lambda connection: self._find(connection, query, vector, number)
            )
        except (apsw.Error, StorageError) as error:
            raise SearchFailed(f"the corpus cannot be read: {error}") from error

    async def aclose(self) -> None:
        self._corpus.close()

    def _find(
        self, connection: apsw.Connection, query: str, vector: list[float], number: int
    ) -> list[Found]:
        by_terms = _by_terms(connection, query)
        by_meaning = self._vectors.nearest(connection, vector, CANDIDATES) if vector else []
        near = {passage for passage, cosine in by_meaning if cosine >= self._least_cosine}
        wanted = set(query_terms(query))
        hits: dict[int, list[_Hit]] = {}
        for passage in fuse([by_terms, [passage for passage, _ in by_meaning]]):
            hit = _Hit(*connection.execute(_PASSAGE, (passage,)).get)
            if passage in near or coverage(wanted, hit.terms) >= LEAST_COVERAGE:
                hits.setdefault(hit.document, []).append(hit)
        return [self._found(each[:A_DOCUMENT]) for each in list(hits.values())[:number]]

    def _found(self, hits: list[_Hit]) -> Found:
        best = hits[0]
        text = "\n\n".join(hit.text.strip() for hit in sorted(hits, key=lambda hit: hit.position))
        return Found(
            url=address(best.collection, best.url, best.path, self._base_url),
            title=best.title,
            snippet=" ".join(best.text.split())[:200],
            text=text,
            public=best.public,
        )


class _Hit:
    """A passage that was found, with all that is known of it."""

    def __init__(
        self,
        collection: str,
        url: str,
        public: int,
        document: int,
        path: str,
        title: str,
        position: int,
        heading: str,
        text: str,
    ) -> None:
        self.collection, self.url, self.public = collection, url, bool(public)
        self.document, self.path, self.title = document, path, title
        self.position, self.text = position, text
        self.terms = set(terms(f"{title}\n{heading}\n{text}"))


def _by_terms(connection: apsw.Connection, query: str) -> list[int]:
    expression = match_expression(query)
    if expression is None:
        return []
    rows = connection.execute(_TERMS, (expression, *WEIGHTS, CANDIDATES))
    return [passage for (passage,) in rows]
