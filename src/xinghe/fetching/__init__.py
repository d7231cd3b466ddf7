"""What the platform fetches from other hosts on behalf of a request, under a guard."""

from xinghe.fetching.fetcher import Fetched, Fetcher, FetchError, FetchFailed, Reserve, UrlRefused
