"""The operators' API on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin.desk import Desk, Person


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """One for all tests of a file."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    folder: Path = tmp_path_factory.mktemp("admin")
    with Desk(folder, url) as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(desk: Desk) -> Person:
    return desk.person("operator", operator=True)
