"""Where model files come from: one index, sources in order, one verified copy on disk.

`find` is cheap and tells whether a file is here; `fetch` brings it.
"""

from xinghe.weights.errors import UnknownWeight, WeightsError
from xinghe.weights.fetch import fetch
from xinghe.weights.index import Weight, load_index, resolve
from xinghe.weights.progress import Progress, terminal_progress
from xinghe.weights.store import find

__all__ = [
    "Progress",
    "UnknownWeight",
    "Weight",
    "WeightsError",
    "fetch",
    "find",
    "load_index",
    "resolve",
    "terminal_progress",
]
