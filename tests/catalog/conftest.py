from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from xinghe.catalog import Catalog, load
from xinghe.settings import Settings

LoadWith = Callable[[str], Catalog]


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """What is built in."""
    return load(Settings(data=str(tmp_path_factory.mktemp("no-models"))))


@pytest.fixture
def load_with(tmp_path: Path) -> LoadWith:
    """The catalog with the text of an operator's models.toml."""

    def loaded(text: str) -> Catalog:
        (tmp_path / "models.toml").write_text(text, "utf-8")
        return load(Settings(data=str(tmp_path)))

    return loaded
