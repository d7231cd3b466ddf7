"""A stored version that cannot be served: what serves instead, and how it is put right."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from xinghe.catalog import CatalogError
from xinghe.configuration import ConfigurationError, Configurations, served
from xinghe.storage import Connection, Database

V3 = "deepseek-v3"
WHO = "app-1"


def card(**fields: Any) -> dict[str, Any]:
    return {"models": {V3: fields}}


async def edited(database: Database, number: int, body: bytes) -> None:
    """Somebody has changed the content of a version by hand."""

    def edit(connection: Connection) -> None:
        digest = connection.value("SELECT content FROM configurations WHERE id = $1", number)
        connection.run(
            "UPDATE configuration_contents SET body = $1 WHERE digest = $2", body, digest
        )

    await database.write(edit)


@pytest.fixture(autouse=True)
async def _two_versions(configurations: Configurations) -> None:
    await configurations.apply(card(rpm=5), WHO, source="api")
    await configurations.apply(card(rpm=6), WHO, source="api")


BODIES = {
    "no JSON": b"\xff{",
    "no table": b"[1]",
    "a section that is none": b'{"models": 3}',
    "lists that are none": b'{"safety": {"lists": []}}',
    "a list that is not there": msgspec.json.encode({"safety": {"lists": {"a.txt": "00" * 32}}}),
    "no digest": b'{"safety": {"lists": {"a.txt": "x"}}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_what_cannot_be_read_is_told_and_another_serves(
    configurations: Configurations, database: Database, body: bytes
) -> None:
    await edited(database, 2, body)
    now = await configurations.current()
    assert (now.number, now.tree) == (2, {})
    assert now.damage.startswith("version 2 cannot be read: ")
    found = await served(configurations)
    assert (found.version.number, found.catalog.models[V3].rpm) == (1, 5)
    assert "version 2 cannot be read" in found.trouble
    with pytest.raises(ConfigurationError, match="version 2 cannot be read"):
        await configurations.version(2)
    assert [each.number for each in await configurations.page()] == [2, 1]
    # A part of what nobody knows cannot be changed; the whole can.
    with pytest.raises(ConfigurationError, match="xinghe config revert"):
        await configurations.patch(card(rpm=7), WHO, source="api")
    assert (
        "version 2 cannot be read" in (await configurations.import_files()).troubles["models.toml"]
    )
    back = await configurations.revert(1, WHO, source="api")
    assert (back.version.number, back.version.tree) == (3, card(rpm=5))
    assert (await served(configurations)).trouble == ""


async def test_an_empty_tree_may_take_the_place_of_what_cannot_be_read(
    configurations: Configurations, database: Database
) -> None:
    await edited(database, 2, b"")
    assert (await configurations.apply({}, WHO, source="api")).version.number == 3


async def test_what_makes_no_catalog_is_told_and_another_serves(
    configurations: Configurations, database: Database
) -> None:
    await edited(database, 2, b'{"models": {"deepseek-v3": {"rpn": 5}}}')
    found = await served(configurations)
    assert found.version.number == 1
    assert "version 2" in found.trouble
    assert f"models.{V3}: `rpn` is unknown" in found.trouble
    with pytest.raises(CatalogError, match="`rpn` is unknown"):
        await configurations.patch({"limits": {"qps": 1.0}}, WHO, source="api")
    mended = await configurations.patch(card(rpn=None), WHO, source="api")
    assert mended.version.number == 3


async def test_where_no_version_makes_a_catalog_what_is_built_in_serves(
    configurations: Configurations, database: Database
) -> None:
    for number in (1, 2):
        await edited(database, number, b'{"models": {"deepseek-v3": []}}')
    found = await served(configurations)
    assert (found.version.number, found.version.name) == (0, "what is built in")
    assert "version 2" in found.trouble
