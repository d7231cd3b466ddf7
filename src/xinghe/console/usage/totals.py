"""What was used in all, added up exactly: means are weighed by what they are means of."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from xinghe.api.account.schema import UsageShown
from xinghe.console.usage.filters import Metric


class Totals(msgspec.Struct):
    """What was used in all. `requests` are those that were charged; `first` sums milliseconds."""

    spent: Decimal = Decimal(0)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    timed: int = 0
    first: float = 0
    generated: float = 0
    generation_ms: int = 0
    errors: dict[str, int] = {}

    def add(self, row: UsageShown) -> None:
        self.spent += row.spent
        self.requests += row.requests - sum(row.errors.values())
        self.prompt_tokens += row.prompt_tokens
        self.completion_tokens += row.completion_tokens
        self.cached_tokens += row.cached_tokens
        self.timed += row.timed_requests
        self.first += (row.first_token_ms or 0) * row.timed_requests
        self.generated += (row.tokens_per_second or 0) * row.generation_ms
        self.generation_ms += row.generation_ms
        for code, count in row.errors.items():
            self.errors[code] = self.errors.get(code, 0) + count

    def join(self, other: Totals, sign: int = 1) -> None:
        """Add another, or, with -1, take it out."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))
        for code, count in other.errors.items():
            self.errors[code] = self.errors.get(code, 0) + sign * count

    def of(self, metric: Metric) -> Decimal | int:
        match metric:
            case "spend":
                return self.spent
            case "requests":
                return self.requests
            case "input":
                return self.prompt_tokens
        return self.completion_tokens

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def error_share(self) -> float | None:
        asked = self.requests + self.failed
        return self.failed / asked if asked else None

    @property
    def first_token_ms(self) -> float | None:
        return self.first / self.timed if self.timed else None

    @property
    def tokens_per_second(self) -> float | None:
        return self.generated / self.generation_ms if self.generation_ms else None


_ADDED = tuple(name for name in Totals.__struct_fields__ if name != "errors")
