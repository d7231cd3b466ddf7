"""What the platform fetches from other hosts on behalf of a request, under a guard."""

from xinghe.fetching.fetched import Fetched, FetchError, FetchFailed, Reserve, UrlRefused
from xinghe.fetching.fetcher import Fetcher
