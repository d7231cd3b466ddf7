"""Web search: providers, the local corpus, and what of all found a model gets to read."""

from xinghe.search.choose import Measure, Reference
from xinghe.search.provider import Found, Provider, SearchFailed
from xinghe.search.searcher import Searcher

__all__ = ["Found", "Measure", "Provider", "Reference", "SearchFailed", "Searcher"]
