"""A piece of an answer that leaves without a wait leaves with its own answer, or not at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from xinghe.api.flow import write_at_once


@pytest.mark.parametrize(
    "state",
    [
        {"response_complete": True},  # what is on the connection now may be another's
        {"disconnected": True},
        {"chunked_encoding": False},
        {"flow": SimpleNamespace(write_paused=True)},
        {},
    ],
)
def test_what_comes_too_late_is_not_written(state: dict[str, Any]) -> None:
    sent = list[bytes]()
    usual = {
        "response_complete": False,
        "disconnected": False,
        "chunked_encoding": True,
        "flow": SimpleNamespace(write_paused=False),
        "transport": SimpleNamespace(write=sent.append),
    }
    cycle = cast("Any", SimpleNamespace(**{**usual, **state}))
    assert write_at_once(cycle, b"piece") is not bool(state)
    assert sent == ([] if state else [b"5\r\npiece\r\n"])
