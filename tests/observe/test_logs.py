"""A line of the log: JSON, with the id of the request that causes it, whatever else it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from xinghe.observe import logs


@pytest.fixture
def configured(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    before = structlog.get_config()
    logs.configure("info", "json")
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("configured")
def test_a_line_has_the_id_of_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.get_logger("x")
    with logs.of_request("as-abc"):
        log.info("request", path="/星", code=None)
    log.debug("nobody wants to know")
    log.warning("later")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    told = {"request_id": "as-abc", "event": "request", "path": "/星", "code": None}
    assert told.items() <= first.items()
    assert {"level", "timestamp"} <= first.keys()
    assert second["level"] == "warning"
    assert "request_id" not in second


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("odd", [10**100, {(1, 2): 3}, object()])
def test_whatever_a_line_holds_it_is_told(capsys: pytest.CaptureFixture[str], odd: object) -> None:
    structlog.get_logger("x").error("odd", value=odd)
    assert "odd" in capsys.readouterr().err
