from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.catalogs import catalog_of
from xinghe.catalog import Catalog
from xinghe.settings import Settings

LoadWith = Callable[[str], Catalog]


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """What is built in."""
    return catalog_of(Settings(data=str(tmp_path_factory.mktemp("no-models"))))


@pytest.fixture
def load_with(tmp_path: Path) -> LoadWith:
    """The catalog with the text of an operator's models.toml."""

    def loaded(text: str) -> Catalog:
        (tmp_path / "models.toml").write_text(text, "utf-8")
        return catalog_of(Settings(data=str(tmp_path)))

    return loaded
