"""Web search: providers, the local corpus, and what of all found a model gets to read.

`service` makes it from the settings; it is left out here, as the workers load this module, too.
"""

from xinghe.search.choose import Measure, Reference, neutral
from xinghe.search.provider import Found, Provider, SearchFailed
from xinghe.search.searcher import Searcher
