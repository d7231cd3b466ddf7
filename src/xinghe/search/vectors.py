"""The vectors of passages: kept in the corpus, compared in memory."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import numpy as np
from numpy.typing import NDArray

from xinghe.search.corpus import Corpus
from xinghe.search.embedder import Embedder

BATCH = 16
MAX_CHARACTERS = 600
"""Of a passage with its titles; the default engine reads no more than 512 tokens."""


class Vectors:
    """All vectors of a corpus as one matrix, read anew when they have changed."""

    def __init__(self) -> None:
        self._version: tuple[int, int] | None = None
        self._ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._matrix: NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def nearest(
        self, connection: apsw.Connection, vector: Sequence[float], number: int
    ) -> list[tuple[int, float]]:
        """The ids of the passages nearest to a vector with their cosines, best first."""
        self._refresh(connection)
        if self._matrix.shape[0] == 0 or self._matrix.shape[1] != len(vector):
            return []
        cosines = self._matrix @ _unit(vector)
        best = np.argsort(-cosines, kind="stable")[:number]
        return [(int(self._ids[at]), float(cosines[at])) for at in best]

    def _refresh(self, connection: apsw.Connection) -> None:
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
        (number, f"{title}\n{heading}\n{text}"[:MAX_CHARACTERS])
        for number, title, heading, text in connection.execute(
            "SELECT p.id, d.title, p.heading, p.text FROM passages p "
            "JOIN documents d ON d.id = p.document_id "
            "LEFT JOIN vectors v ON v.passage_id = p.id "
            "WHERE v.passage_id IS NULL ORDER BY p.id LIMIT ?",
            (BATCH,),
        )
    ]


def _unit(vector: Sequence[float]) -> NDArray[np.float32]:
    array = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(array))
    return array / np.float32(length) if length else array
