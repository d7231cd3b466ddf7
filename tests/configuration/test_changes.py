"""Versions are applied, changed and applied again; of two at once nothing is lost."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from xinghe.accounts import AccountError
from xinghe.catalog import CatalogError
from xinghe.configuration import Changed, ConfigurationError, Configurations, TreeError, redacted

BIG: dict[str, Any] = {
    "engine": "upstream", "url": "http://h/v1", "model": "m", "key": "sk-1", "slots": 3
}  # fmt: skip
WHO = "app-1"


async def test_a_whole_tree_takes_the_place_of_another(configurations: Configurations) -> None:
    first = await configurations.apply(
        {"deployments": {"big": BIG}, "safety": {"lists": {"a.txt": "one\n"}}},
        WHO,
        source="api",
        note="a beginning",
    )
    assert (first.version.number, first.version.note, first.changed) == (1, "a beginning", 2)
    second = await configurations.apply({"limits": {"qps": 2.0}}, WHO, source="api")
    # The lists stay: no models.toml holds them.
    assert second.version.tree == {"limits": {"qps": 2.0}, "safety": {"lists": {"a.txt": "one\n"}}}
    third = await configurations.apply({"safety": {"lists": {}}}, WHO, source="api")
    assert third.version.lists == {}
    found = await configurations.version(1)
    assert found == first.version
    assert [each.number for each in await configurations.page(limit=2)] == [3, 2]
    assert [each.number for each in await configurations.page(behind=2)] == [1]


async def test_what_was_shown_is_put_back_without_change(configurations: Configurations) -> None:
    made = await configurations.apply({"deployments": {"big": BIG}}, WHO, source="api")
    again = await configurations.apply(redacted(made.version.tree), WHO, source="api")
    assert (again.changed, again.version) == (0, made.version)
    shown = redacted(made.version.tree)
    shown["deployments"]["big"]["slots"] = 4
    changed = await configurations.apply(shown, WHO, source="api")
    assert changed.version.tree["deployments"]["big"] == {**BIG, "slots": 4}
    assert [each.path for each in changed.changes] == ["deployments.big.slots"]


async def test_an_old_version_is_applied_again(configurations: Configurations) -> None:
    first = await configurations.apply({"deployments": {"big": BIG}}, WHO, source="api")
    await configurations.patch(
        {"deployments": {"big": {"key": "sk-2"}}, "limits": {"rpm": 3}}, WHO, source="api"
    )
    back = await configurations.revert(1, "cli:me", source="command")
    assert back.version.tree == first.version.tree
    assert (back.version.number, back.version.author) == (3, "cli:me")
    assert back.version.note == "version 1 again"
    with pytest.raises(ConfigurationError, match="no version 9, allowed: 1 to 3"):
        await configurations.revert(9, WHO, source="api")


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"deployments": {"big": {"slots": 0}}}, r"deployments\.big: slots is 0"),
        ({"deployments": {"big": {"engine": None}}}, "`engine` is null"),
        ({"models": {"deepseek-v3": {"deployment": "none"}}}, "'none', allowed"),
        ({"models": {"new": {"kind": "chat"}}}, r"models\.new: .*context"),
        ({"limits": {"qps": -1}}, "limits: qps is -1"),
        ({"deployments": {"big": {"context": 10**18}}}, "context is 1000000000000000000: .*<= "),
        ({"deployments": {"big": {"model": "a\x1b[2J"}}}, "`model` is wrong, allowed: 0 to 500"),
        ({"deployments": {"big": {"key": "sk-星河"}}}, "`key` has characters that no header"),
        ({"deployments": {"big": {"key": None, "key_env": "sk-1"}}}, "`key_env` is no variable"),
        (
            {"deployments": {"big": {"key": None, "keys": [{"key_env": "sk-1"}]}}},
            r"`keys\[0\].key_env` is no variable",
        ),
        (
            {"deployments": {"big": {"url": "ftp://u:sk-pass@h/v1"}}},
            r"deployments\.big: `url` is wrong, allowed: an http",
        ),
    ],
)
async def test_what_makes_no_catalog_is_refused(
    configurations: Configurations, patch: Any, told: str
) -> None:
    await configurations.apply({"deployments": {"big": BIG}}, WHO, source="api")
    with pytest.raises(CatalogError, match=told):
        await configurations.patch(patch, WHO, source="api")
    assert await configurations.newest() == 1


async def test_a_trial_changes_nothing(configurations: Configurations) -> None:
    trial = await configurations.apply(
        {"deployments": {"big": BIG}}, WHO, source="api", validate_only=True
    )
    assert (trial.version.number, trial.changed) == (0, 1)
    assert await configurations.newest() == 0
    with pytest.raises(TreeError):
        await configurations.patch({"x": {}}, WHO, source="api", validate_only=True)


async def test_whoever_expects_another_version_is_refused(configurations: Configurations) -> None:
    await configurations.patch({"limits": {"qps": 1.0}}, WHO, source="api", expected=0)
    with pytest.raises(Changed, match="version 1 is applied, by app-1, and not 0"):
        await configurations.patch({"limits": {"qps": 2.0}}, "app-2", source="api", expected=0)


async def test_a_note_is_a_line(configurations: Configurations) -> None:
    with pytest.raises(AccountError, match="note"):
        await configurations.patch({"limits": {"qps": 1.0}}, WHO, source="api", note="a\nb")


async def test_many_at_once_lose_nothing(configurations: Configurations) -> None:
    await asyncio.gather(
        *(
            configurations.patch({"models": {f"ernie-{name}": CARD}}, WHO, source="api")
            for name in range(12)
        )
    )
    found = await configurations.current()
    assert found.number == 12
    assert set(found.tree["models"]) == {f"ernie-{name}" for name in range(12)}


CARD = {"kind": "chat", "context": 4096, "max_input": 2048, "output_max": 9, "output_default": 9}
RACER = """
import asyncio, sys
from pathlib import Path
from tests.configuration.conftest import settings
from tests.configuration.test_changes import race
from xinghe.configuration import Configurations
from xinghe.storage import Database

async def main(folder, url):
    async with await Database.open(folder, url) as database:
        await race(Configurations(database, settings(folder, url)), "rpm")

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


async def race(configurations: Configurations, name: str) -> None:
    for turn in range(8):
        patch = {"limits": {"qps": turn}, "models": {"deepseek-v3": {name: turn}}}
        await configurations.patch(patch, name, source="command")


async def test_two_processes_lose_nothing(
    configurations: Configurations, tmp_path: Path, url: str
) -> None:
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", RACER, str(tmp_path), url)
    while await configurations.newest() == 0:  # noqa: ASYNC110 (another process)
        await asyncio.sleep(0.01)
    await race(configurations, "tpm")
    assert await other.wait() == 0
    found = await configurations.current()
    assert found.tree["models"]["deepseek-v3"] == {"rpm": 7, "tpm": 7}
    # Every version follows from the one before it.
    for number in range(1, found.number):
        before = await configurations.version(number)
        after = await configurations.version(number + 1)
        changed = {each.path for each in after.changes}
        assert changed <= {"limits.qps", f"models.deepseek-v3.{after.author}"}
        other_field = "tpm" if after.author == "rpm" else "rpm"
        cards = (each.tree["models"]["deepseek-v3"].get(other_field) for each in (before, after))
        assert len(set(cards)) == 1
