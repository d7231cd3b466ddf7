"""Search in the local corpus: by terms and by meaning, as one ranking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import apsw
import msgspec
import structlog

from xinghe.search.corpus import Corpus, address
from xinghe.search.provider import Found, SearchFailed
from xinghe.search.synonyms import ways
from xinghe.search.terms import coverage, fuse, match_expression, query_terms, terms
from xinghe.storage import StorageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
BATCH = 16
"""Passages that get their vectors in one call."""
EMBEDDED_CHARACTERS = 600
"""Of a passage with its titles; the default engine reads no more than 512 tokens."""

_TERMS = "SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY bm25(terms, ?, ?, ?), rowid LIMIT ?"
_PASSAGE = (
    "SELECT c.name, c.url, c.public, d.id, d.path, d.title, p.position, p.heading, p.text "
    "FROM passages p JOIN documents d ON d.id = p.document_id "
    "JOIN collections c ON c.id = d.collection_id WHERE p.id = ?"
)


class Embedder(Protocol):
    """Texts as vectors whose cosine tells how near their meanings are."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[bytes]:
        """One vector a text, as little-endian 32-bit floats, all of one length."""


class _Vectors:
    """All vectors of a corpus as one matrix, read anew when they have changed.

    Numpy is loaded with the first search: it is a sixth of what the gateway takes without.
    """

    _ids: NDArray[np.int64]
    _matrix: NDArray[np.float32]

    def __init__(self) -> None:
        self._version: tuple[int, int] | None = None

    def nearest(
        self, connection: apsw.Connection, vector: bytes, number: int
    ) -> list[tuple[int, float]]:
        """The ids of the passages nearest to a vector with their cosines, best first."""
        import numpy as np  # noqa: PLC0415

        self._refresh(connection)
        if self._matrix.shape[0] == 0 or self._matrix.shape[1] != len(vector) // 4:
            return []
        cosines = self._matrix @ _unit(vector)
        best = np.argsort(-cosines, kind="stable")[:number]
        return [(int(self._ids[at]), float(cosines[at])) for at in best]

    def _refresh(self, connection: apsw.Connection) -> None:
        import numpy as np  # noqa: PLC0415

        count, last = connection.execute(
            "SELECT count(*), coalesce(max(passage_id), 0) FROM vectors"
        ).get
        if (count, last) == self._version:
            return
        rows = list(connection.execute("SELECT passage_id, vector FROM vectors"))
        # Another engine's vectors, from before the operator changed it, are of another length.
        width = max((len(vector) for _, vector in rows), default=0)
        rows = [row for row in rows if len(row[1]) == width]
        self._ids = np.array([number for number, _ in rows], np.int64)
        joined = b"".join(vector for _, vector in rows)
        self._matrix = np.frombuffer(joined, np.float32).reshape(len(rows), width // 4)
        self._version = (count, last)


class LocalProvider(msgspec.Struct):
    """`base_url` is where readers reach the service: its own pages stand in sources too.

    `least_cosine` is how near in meaning a passage must be that shares no words with the
    question; it depends on the embedding model. `searched` is called at every search.
    """

    name: ClassVar[str] = "local"

    corpus: Corpus
    base_url: str
    embedder: Embedder | None = None
    least_cosine: float = 0.878
    searched: Callable[[], None] = lambda: None
    vectors: _Vectors = msgspec.field(default_factory=_Vectors)

    async def search(self, query: str, number: int) -> list[Found]:
        self.searched()
        vector = b""
        if self.embedder is not None:
            try:
                async with asyncio.timeout(VECTOR_SECONDS):
                    (vector,) = await self.embedder.embed([query], "query")
            except Exception as error:  # Whatever ails it, the terms find most.
                log.warning("search_without_embedding", error=repr(error))
        try:
            return await self.corpus.read(
                lambda connection: self._find(connection, query, vector, number)
            )
        except (apsw.Error, StorageError) as error:
            raise SearchFailed(f"the corpus cannot be read: {error}") from error

    async def aclose(self) -> None:
        self.corpus.close()

    def _find(
        self, connection: apsw.Connection, query: str, vector: bytes, number: int
    ) -> list[Found]:
        by_terms: list[int] = []
        asked = ways(query)
        if (expression := match_expression(" ".join(asked))) is not None:
            rows = connection.execute(_TERMS, (expression, *WEIGHTS, CANDIDATES))
            by_terms = [passage for (passage,) in rows]
        by_meaning = self.vectors.nearest(connection, vector, CANDIDATES) if vector else []
        near = {passage for passage, cosine in by_meaning if cosine >= self.least_cosine}
        wanted = [set(query_terms(each)) for each in asked]
        hits: dict[int, list[_Hit]] = {}
        for passage in fuse([by_terms, [passage for passage, _ in by_meaning]]):
            hit = _Hit(*connection.execute(_PASSAGE, (passage,)).get)
            given = hit.terms
            covered = max(coverage(each, given) for each in wanted)
            if passage in near or covered >= LEAST_COVERAGE:
                hits.setdefault(hit.document, []).append(hit)
        found = _in_its_language(query, list(hits.values()))
        return [self._found(each[:A_DOCUMENT]) for each in found[:number]]

    def _found(self, hits: list[_Hit]) -> Found:
        best = hits[0]
        text = "\n\n".join(hit.text.strip() for hit in sorted(hits, key=lambda hit: hit.position))
        return Found(
            url=address(best.collection, best.url, best.path, self.base_url),
            title=best.title,
            snippet=" ".join(best.text.split())[:200],
            text=text,
            public=bool(best.public),
        )


class _Hit(msgspec.Struct, frozen=True):
    """A passage that was found, with all that is known of it, as `_PASSAGE` asks for it."""

    collection: str
    url: str
    public: int
    document: int
    path: str
    title: str
    position: int
    heading: str
    text: str

    @property
    def terms(self) -> set[str]:
        return set(terms(f"{self.title}\n{self.heading}\n{self.text}"))


def _in_its_language(query: str, found: list[list[_Hit]]) -> list[list[_Hit]]:
    """Of a page in two languages (`page.md`, `page.en.md`) only the one that was asked in."""
    paths = {(hits[0].collection, hits[0].path) for hits in found}
    chinese = any("\u4e00" <= char <= "\u9fff" for char in query)

    def other(hits: list[_Hit]) -> str:
        path = hits[0].path
        if path.endswith(".en.md"):
            return path.removesuffix(".en.md") + ".md" if chinese else ""
        return "" if chinese else path.removesuffix(".md") + ".en.md"

    return [hits for hits in found if (hits[0].collection, other(hits)) not in paths]


async def embed_missing(corpus: Corpus, embedder: Embedder) -> int:
    """Give every passage that has none its vector; returns how many. Raises what `embed` raises.

    Found without them until then, a corpus can be searched at once.
    """
    done = 0
    while rows := await corpus.read(_without_vectors):
        vectors = await embedder.embed([text for _, text in rows], "passage")
        pairs = [
            (passage, _unit(vector).tobytes())
            for (passage, _), vector in zip(rows, vectors, strict=True)
        ]

        def store(connection: apsw.Connection, pairs: list[tuple[int, bytes]] = pairs) -> None:
            # A passage may have been dropped meanwhile.
            connection.executemany(
                "INSERT OR IGNORE INTO vectors (passage_id, vector) "
                "SELECT id, ?2 FROM passages WHERE id = ?1",
                pairs,
            )

        await corpus.write(store)
        done += len(rows)
    return done


def _without_vectors(connection: apsw.Connection) -> list[tuple[int, str]]:
    return [
        (number, f"{title}\n{heading}\n{text}"[:EMBEDDED_CHARACTERS])
        for number, title, heading, text in connection.execute(
            "SELECT p.id, d.title, p.heading, p.text FROM passages p "
            "JOIN documents d ON d.id = p.document_id "
            "LEFT JOIN vectors v ON v.passage_id = p.id "
            "WHERE v.passage_id IS NULL ORDER BY p.id LIMIT ?",
            (BATCH,),
        )
    ]


def _unit(vector: bytes) -> NDArray[np.float32]:
    import numpy as np  # noqa: PLC0415

    array = np.frombuffer(vector, np.float32)
    length = float(np.linalg.norm(array))
    return array / np.float32(length) if length else array
