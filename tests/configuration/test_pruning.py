"""Old versions go, and what only they had."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.configuration.conftest import settings
from xinghe.accounts import audit
from xinghe.configuration import ConfigurationError, Configurations
from xinghe.settings import Configuration
from xinghe.storage import Database

V3 = "deepseek-v3"
WHO = "app-1"


@pytest.fixture
def ten(database: Database, tmp_path: Path, url: str) -> Configurations:
    """That keep ten versions."""
    kept = replace(settings(tmp_path, url), configuration=Configuration(versions=10))
    return Configurations(database, kept)


async def contents(database: Database) -> int:
    return int(
        await database.read(lambda c: c.value("SELECT count(*) FROM configuration_contents"))
    )


async def test_the_newest_stay_and_can_be_applied_again(
    ten: Configurations, database: Database
) -> None:
    lists = {"first.txt": "one\n", "always.txt": "two\n"}
    await ten.apply({"safety": {"lists": lists}}, WHO, source="api")
    await ten.patch({"safety": {"lists": {"first.txt": None}}}, WHO, source="api")
    for rpm in range(1, 10):
        await ten.patch({"models": {V3: {"rpm": rpm}}}, WHO, source="api")
    assert [each.number for each in await ten.page()] == list(range(11, 1, -1))
    # Ten trees and the one list: that of the first version alone is gone.
    assert await contents(database) == 11
    assert (await ten.current()).tree["safety"] == {"lists": {"always.txt": "two\n"}}
    with pytest.raises(ConfigurationError, match="no version 1, allowed: 2 to 11"):
        await ten.revert(1, WHO, source="api")
    back = await ten.revert(2, WHO, source="api")
    assert back.version.number == 12
    assert back.version.tree == {"safety": {"lists": {"always.txt": "two\n"}}}
    for number in range(3, 13):
        await ten.version(number)
    page = await database.read(lambda c: audit.page(c, audit.Filters(subject="config"), 0, 50))
    assert len(page.rows) == 12


async def test_what_files_held_last_stays(
    ten: Configurations, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "models.toml"
    file.write_text(f"[models.{V3}]\nrpm = 5\n", "utf-8")
    assert (await ten.import_files()).version.number == 1
    for tpm in range(1, 13):
        await ten.patch({"models": {V3: {"tpm": tpm}}}, WHO, source="api")
    assert await ten.imported() == {"models": {V3: {"rpm": 5}}}
    file.write_text(f"[models.{V3}]\nrpm = 6\n", "utf-8")
    assert (await ten.import_files()).version.tree == {"models": {V3: {"rpm": 6, "tpm": 12}}}


async def test_a_smaller_number_takes_effect_little_by_little(
    configurations: Configurations, database: Database, ten: Configurations
) -> None:
    for rpm in range(1, 71):
        await configurations.patch({"models": {V3: {"rpm": rpm}}}, WHO, source="api")
    assert len(await ten.page(limit=100)) == 70
    for left in (21, 10, 10):
        await ten.patch({"models": {V3: {"tpm": left * 7 + await ten.newest()}}}, WHO, source="api")
        assert len(await ten.page(limit=100)) == left
    assert await contents(database) == 10
