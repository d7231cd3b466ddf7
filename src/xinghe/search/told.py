"""What a start says of web search: where it looks, and how to have it look elsewhere."""

from contextlib import closing

from xinghe.outbound import origin_of
from xinghe.search.corpus import DOCUMENTATION, Collection, Corpus
from xinghe.settings import Settings
from xinghe.storage import StorageError

OTHERS = {
    True: "SearXNG 或百度：xinghe.toml 里 [search] 的 provider；自己的文档：xinghe search index",
    False: "SearXNG or Baidu: provider of [search] in xinghe.toml; documents: xinghe search index",
}
"""By whether it is said in Chinese."""


def told(settings: Settings, *, chinese: bool = False) -> str:
    """One line. What is indexed is read from the corpus, where that can be read."""
    where = _where(settings, chinese=chinese)
    return f"联网搜索：{where}" if chinese else f"web search: {where}"


def _where(settings: Settings, *, chinese: bool) -> str:
    search = settings.search
    if search.provider == "searxng":
        url = origin_of(search.url)
        return f"SearXNG，{url}" if chinese else f"SearXNG at {url}"
    if search.provider == "baidu":
        return "百度" if chinese else "Baidu"
    try:
        with closing(Corpus.open(settings.data_dir, create=False)) as corpus:
            found = [_indexed(each, chinese=chinese) for each in corpus.collections()]
    except StorageError:
        found = []
    if chinese:
        return f"离线，{'、'.join(found) or '什么也没有索引'}（{OTHERS[chinese]}）"
    return f"offline, {', '.join(found) or 'nothing is indexed'} ({OTHERS[chinese]})"


def _indexed(collection: Collection, *, chinese: bool) -> str:
    own = "本文档" if chinese else "this documentation"
    name = own if collection.name == DOCUMENTATION else collection.name
    if not collection.documents and collection.name == DOCUMENTATION:
        return f"{name}（正在索引）" if chinese else f"{name} (being indexed)"
    if chinese:
        return f"{name}（{collection.documents} 篇）"
    return f"{name} ({collection.documents} documents)"
