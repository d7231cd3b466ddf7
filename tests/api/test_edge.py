"""The edge, before any request."""

from __future__ import annotations

from typing import Any

import pytest

from xinghe.api.edge import Edge


def test_a_handler_that_is_missing_is_told_at_the_start() -> None:
    parts: dict[str, Any] = dict.fromkeys(
        ("principals", "limiter", "live", "budget", "idempotency", "failures", "elsewhere")
    )
    with pytest.raises(AssertionError, match="embeddings"):
        Edge(**parts, handlers={"chat": parts["elsewhere"]})
