"""What the layers below raise, as a client and the log see it."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.kit.api import Api
from xinghe.api.errors import as_api_error
from xinghe.workers import (
    RequestFailed,
    WorkerClosed,
    WorkerDied,
    WorkerFailure,
    WorkerOutOfMemory,
    WorkerTimeout,
)


@pytest.mark.parametrize(
    "failure", [RequestFailed, WorkerClosed, WorkerDied, WorkerOutOfMemory, WorkerTimeout]
)
def test_a_worker_that_failed_is_our_fault_and_its_words_are_told_nobody(
    failure: type[WorkerFailure],
) -> None:
    with capture_logs() as told:
        refusal = as_api_error(failure("ValueError: what the user wrote"), "as-0123456789")
    assert (refusal.row.status, refusal.row.code) == (500, "internal_error")
    assert "user wrote" not in f"{refusal.message} {told}"
    assert told == [{"event": "worker_failed", "reason": failure.__name__, "log_level": "error"}]


SECRET = f"xh-0123456789-{'S' * 43}"
HELLO = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    "asked",
    [
        {"model": SECRET, "messages": HELLO},
        {"model": "ernie-3.5-8k", "messages": HELLO, "temperature": SECRET},
        {"model": "ernie-3.5-8k", "messages": HELLO, "tool_choice": f"{'x' * 40}{SECRET}"},
        {"model": "ernie-3.5-8k", "messages": [{"role": SECRET, "content": "hi"}]},
    ],
    ids=["model", "number", "cut off", "role"],
)
def test_a_token_in_the_wrong_place_is_not_repeated(api: Api, asked: dict[str, Any]) -> None:
    reply = api.chat(**asked)
    assert reply.status >= 400
    assert "SS" not in str(reply.json)


@pytest.mark.parametrize("path", [f"/models/{SECRET}", f"/{SECRET}", f"/models?limit={SECRET}"])
def test_nor_one_in_a_path(api: Api, path: str) -> None:
    assert "SS" not in str(api.get(path).json)
