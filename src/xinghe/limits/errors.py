"""Why a request has to wait."""

from __future__ import annotations

from xinghe.limits.headers import Headers
from xinghe.limits.quota import Kind


class RateLimited(Exception):
    """One of an account's limits is reached; the request took nothing of any of them.

    `retry_after` is in seconds, to the millisecond: whoever waits that long and tries again is
    admitted, unless somebody else of the account took it meanwhile. `kind` and `limit` are those
    of the limit that takes longest; a fractional QPS is rounded up in `limit`.
    """

    def __init__(self, kind: Kind, limit: int, retry_after: float, headers: Headers) -> None:
        super().__init__(f"{kind} limit of {limit} reached, try again in {retry_after:g} s")
        self.kind = kind
        self.limit = limit
        self.retry_after = retry_after
        self._headers = headers

    def headers(self) -> Headers:
        """As `Admission.headers`."""
        return self._headers
