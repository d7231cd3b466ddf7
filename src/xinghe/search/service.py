"""Web search as a part of the service, made from its settings: it lives as long."""

import asyncio
import os
from functools import partial

import structlog

from xinghe.regular import Regular
from xinghe.search.corpus import DOCUMENTATION, Corpus
from xinghe.search.extractor import Extractor
from xinghe.search.indexing import index_documentation
from xinghe.search.local import Embedder, LocalProvider, embed_missing
from xinghe.search.online import BAIDU_URL, BaiduProvider, SearxngProvider
from xinghe.search.provider import Provider
from xinghe.search.searcher import Fetch, PrivateSources, Searcher
from xinghe.settings import Search, Settings, SettingsError
from xinghe.storage import StorageError

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
"""How soon what the command line has indexed gets its vectors; it is found by its terms at once."""


class SearchService:
    """`searcher` answers; `corpus` is there when the local corpus is what is searched.

    `base_url` is where readers reach the service, `fetch` a guarded GET. Raises `SettingsError`
    and `StorageError`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        base_url: str,
        fetch: Fetch | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self._settings = settings.search
        self._embedder = embedder
        self._extractor = Extractor()
        self._embedding: Regular | None = None
        self._embedded: object = None
        """The version of the corpus whose passages have their vectors."""
        self._used = asyncio.Event()
        """Set by the first search: where nobody searches, no vectors are made."""
        self.corpus: Corpus | None = None
        provider: Provider
        if self._settings.provider == "local":
            self.corpus = Corpus.open(settings.data_dir)
            provider = LocalProvider(self.corpus, base_url, embedder, searched=self._used.set)
        elif self._settings.provider == "searxng":
            provider = SearxngProvider(self._settings.url)
        else:
            provider = BaiduProvider(_key(self._settings), self._settings.url or BAIDU_URL)
        self.searcher = Searcher(
            provider,
            self._extractor,
            PrivateSources(self._settings.private),
            deadline=self._settings.deadline,
            fetch=fetch,
        )

    async def start(self) -> None:
        """Begin to bring the project's own pages into the corpus; vectors follow the first search.

        Nothing waits for the pages but who searches.
        """
        if self.corpus is None:
            return
        self.corpus.coming = asyncio.create_task(self._documented(self.corpus))
        if self._embedder is not None:
            embed = partial(self._embed, self.corpus, self._embedder)
            # Whatever ails it, terms find most.
            self._embedding = Regular(embed, LOOK_SECONDS, "passages_not_embedded", Exception)
            await self._embedding.start()

    async def _documented(self, corpus: Corpus) -> None:
        """A corpus that cannot be written now (the disk is full, the command line indexes) stays
        as it is: what is in it is searched.
        """
        try:
            await self._document(corpus)
        except StorageError as error:
            log.warning("documentation_not_indexed", error=str(error))
        except Exception:
            log.exception("documentation_not_indexed")

    async def _document(self, corpus: Corpus) -> None:
        if not self._settings.documentation:
            corpus.remove(DOCUMENTATION)
            return
        report = await index_documentation(corpus, self._extractor)
        for skipped in report.skipped:
            log.warning("documentation_skipped", page=skipped.path, reason=skipped.reason)

    async def stop(self) -> None:
        if self._embedding is not None:
            await self._embedding.stop()
        if self.corpus is not None and self.corpus.coming is not None:
            self.corpus.coming.cancel()
            await asyncio.wait({self.corpus.coming})
        await self.searcher.aclose()

    async def _embed(self, corpus: Corpus, embedder: Embedder) -> None:
        await self._used.wait()
        version = await corpus.read(lambda connection: connection.pragma("data_version"))
        if version != self._embedded:
            await embed_missing(corpus, embedder)
            self._embedded = version


def _key(search: Search) -> str:
    if search.key:
        return search.key
    key = os.environ.get(search.key_env, "")
    if not key:
        raise SettingsError(f"search.key_env names {search.key_env}, which is not set")
    return key
