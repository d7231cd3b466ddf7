"""What the platform fetches from other hosts on behalf of a request, under a guard."""

from xinghe.fetching.errors import FetchError, FetchFailed, UrlRefused
from xinghe.fetching.fetcher import Fetched, Fetcher, Keep

__all__ = ["FetchError", "FetchFailed", "Fetched", "Fetcher", "Keep", "UrlRefused"]
