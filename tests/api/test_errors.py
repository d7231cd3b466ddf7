"""What the layers below raise, as a client and the log see it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

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
