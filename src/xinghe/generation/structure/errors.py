"""Why a schema is refused."""

from __future__ import annotations


class Unguaranteed(Exception):
    """An answer that holds to the schema cannot be promised.

    `keyword` is the keyword to blame, `path` a JSON Pointer into the schema as it was sent, and
    `reason` a phrase that says what is wrong, with the value and the limit. Where it is not
    `known` which keyword is to blame, it stands for the whole.
    """

    def __init__(self, keyword: str, path: str, reason: str) -> None:
        super().__init__(f"'{keyword}' at '{path or '/'}' {reason}")
        self.known = keyword not in ("schema", "tools")
        self.keyword = keyword
        self.path = path
        self.reason = reason


class Impossible(Exception):
    """No text fits this part of a schema: an optional part is left out, a required one refused.

    `keyword` is what rules it out.
    """

    def __init__(self, keyword: str, reason: str) -> None:
        super().__init__(reason)
        self.keyword = keyword
        self.reason = reason


class Unsupported(Exception):
    """This part of a schema cannot be turned into a grammar, because of `keyword`."""

    def __init__(self, keyword: str, reason: str = "cannot be guaranteed") -> None:
        super().__init__(reason)
        self.keyword = keyword
        self.reason = reason
