"""What a start says of web search: where it looks, and how to have it look elsewhere."""

from contextlib import closing

from xinghe.outbound import origin_of
from xinghe.search.corpus import DOCUMENTATION, Collection, Corpus
from xinghe.settings import Settings
from xinghe.storage import StorageError

OTHERS = "SearXNG or Baidu: provider of [search] in xinghe.toml; documents: xinghe search index"


def told(settings: Settings) -> str:
    """One line. What is indexed is read from the corpus, where that can be read."""
    search = settings.search
    if search.provider == "searxng":
        return f"web search: SearXNG at {origin_of(search.url)}"
    if search.provider == "baidu":
        return "web search: Baidu"
    try:
        with closing(Corpus.open(settings.data_dir, create=False)) as corpus:
            indexed = ", ".join(map(_indexed, corpus.collections()))
    except StorageError:
        indexed = ""
    return f"web search: offline, {indexed or 'nothing is indexed'} ({OTHERS})"


def _indexed(collection: Collection) -> str:
    name = "this documentation" if collection.name == DOCUMENTATION else collection.name
    return f"{name} ({collection.documents} documents)"
