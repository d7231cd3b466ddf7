"""An edited file becomes a version, whole or not at all; both changes hold, or both are named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.configuration.conftest import settings
from xinghe.accounts import audit
from xinghe.catalog import CatalogError
from xinghe.configuration import Configurations, Version
from xinghe.storage import Database

V3 = "deepseek-v3"
BIG = '[deployments.big]\nengine = "upstream"\nurl = "http://h/v1"\nmodel = "m"\nkey = "sk-1"\n'


def models(folder: Path, text: str) -> None:
    (folder / "models.toml").write_text(text, "utf-8")


def card(**fields: Any) -> dict[str, Any]:
    return {"models": {V3: fields}}


async def patched(configurations: Configurations, patch: dict[str, Any]) -> Version:
    return (await configurations.patch(patch, "app-1", source="api")).version


async def test_no_file_is_no_version(configurations: Configurations) -> None:
    assert await configurations.started() == Version(0)
    assert await configurations.newest() == 0


async def test_a_file_is_imported_once(configurations: Configurations, tmp_path: Path) -> None:
    models(tmp_path, f"[models.{V3}]\nrpm = 5\n")
    first = await configurations.started()
    assert (first.number, first.author, first.source) == (1, "file", "file")
    assert first.tree == card(rpm=5)
    assert await configurations.started() == first
    models(tmp_path, f"# only a remark\n[models.{V3}]\nrpm = 5\n")
    assert await configurations.started() == first


async def test_changes_of_file_and_api_both_hold(
    configurations: Configurations, tmp_path: Path
) -> None:
    models(tmp_path, f"[models.{V3}]\nrpm = 5\n")
    await configurations.started()
    await patched(configurations, card(tpm=7))
    models(tmp_path, f"[models.{V3}]\nrpm = 6\n[limits]\nqps = 3.5\n")
    made = await configurations.import_files()
    assert made.troubles == {}
    assert made.version.tree == {**card(rpm=6, tpm=7), "limits": {"qps": 3.5}}
    assert made.version.number == 3


async def test_the_same_field_is_refused_with_both_values(
    configurations: Configurations, tmp_path: Path
) -> None:
    models(tmp_path, BIG + f"[models.{V3}]\nrpm = 5\ntpm = 5\n")
    await configurations.started()
    before = await patched(configurations, card(rpm=61))
    models(tmp_path, BIG.replace("sk-1", "sk-2") + f"[models.{V3}]\nrpm = 62\ntpm = 6\n")
    made = await configurations.import_files()
    why = made.troubles["models.toml"]
    assert all(part in why for part in (f"models.{V3}.rpm", "62", "61", "version 2", "app-1"))
    assert "tpm" not in why
    assert "sk-" not in why
    assert await configurations.current() == before
    # It is whole when it comes in.
    models(tmp_path, BIG.replace("sk-1", "sk-2") + f"[models.{V3}]\nrpm = 61\ntpm = 6\n")
    made = await configurations.import_files()
    assert made.troubles == {}
    assert made.version.tree["models"] == {V3: {"rpm": 61, "tpm": 6}}
    assert made.version.tree["deployments"]["big"]["key"] == "sk-2"


async def test_secrets_in_conflict_are_told_apart(
    configurations: Configurations, tmp_path: Path
) -> None:
    models(tmp_path, BIG)
    await configurations.started()
    await patched(configurations, {"deployments": {"big": {"key": "sk-2"}}})
    models(tmp_path, BIG.replace("sk-1", "sk-3"))
    why = (await configurations.import_files()).troubles["models.toml"]
    mark = "<secret deployments.big.key>"
    assert f'the file says "{mark}", version 2 by app-1 says "{mark} (another)"' in why
    assert f'it was "{mark} (a third)"' in why
    assert "sk-" not in why


async def test_to_apply_the_file_ends_a_conflict(
    configurations: Configurations, tmp_path: Path
) -> None:
    models(tmp_path, f"[models.{V3}]\nrpm = 5\n")
    await configurations.started()
    await patched(configurations, card(rpm=6))
    models(tmp_path, f"[models.{V3}]\nrpm = 7\n")
    assert (await configurations.import_files()).troubles
    await configurations.apply(card(rpm=7), "cli:me", source="command")
    assert (await configurations.import_files()).troubles == {}
    # From here on the file counts as imported.
    models(tmp_path, f"[models.{V3}]\nrpm = 8\n")
    assert (await configurations.import_files()).version.tree == card(rpm=8)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[models", "at end of document"),
        ("[model.x]\n", "did you mean `models`"),
        ("[safety.lists]\n", "no section"),
        (f"[models.{V3}]\nrpn = 5\n", f"models.{V3}: `rpn` is unknown"),
        (f'[models.{V3}]\ndeployment = "none"\n', "'none', allowed"),
        (f"[models.{V3}]\ntitle = 2026-11-30\n", f"models.{V3}.title"),
        ("a = " + "[" * 100_000, "nested"),
        ("#" * 1_100_000, "1100000 bytes"),
    ],
)
async def test_a_file_that_cannot_be_used_changes_nothing(
    configurations: Configurations, tmp_path: Path, text: str, told: str
) -> None:
    models(tmp_path, f"[models.{V3}]\nrpm = 5\n")
    before = await configurations.started()
    models(tmp_path, text)
    made = await configurations.import_files()
    assert told in made.troubles["models.toml"]
    assert await configurations.current() == before
    models(tmp_path, f"[models.{V3}]\nrpm = 6\n")
    assert (await configurations.import_files()).version.tree == card(rpm=6)


async def test_the_first_start_with_such_a_file_is_refused(
    configurations: Configurations, tmp_path: Path
) -> None:
    models(tmp_path, "[models")
    with pytest.raises(CatalogError, match=r"models\.toml: .*end of document"):
        await configurations.started()


async def test_a_file_that_is_gone_changes_nothing_and_an_empty_one_does(
    configurations: Configurations, tmp_path: Path
) -> None:
    models(tmp_path, f"[models.{V3}]\nrpm = 5\n")
    before = await configurations.started()
    (tmp_path / "models.toml").unlink()
    assert (await configurations.import_files()).version == before
    models(tmp_path, "")
    assert (await configurations.import_files()).version.tree == {}


async def test_what_the_api_took_out_the_file_does_not_bring_back(
    configurations: Configurations, tmp_path: Path
) -> None:
    models(tmp_path, BIG)
    await configurations.started()
    await patched(configurations, {"deployments": {"big": None}})
    assert (await configurations.started()).tree.get("deployments") == {}
    models(tmp_path, BIG + "[limits]\nqps = 1.0\n")
    assert (await configurations.started()).tree["deployments"] == {}


async def test_lists_are_imported_each_for_itself(
    configurations: Configurations, tmp_path: Path
) -> None:
    folder = tmp_path / "safety"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n", "utf-8")
    (folder / "b.txt").write_bytes(b"two\n\xff\xfe\nthree\t4\n")
    (folder / "c.txt").write_text("x\t9\n", "utf-8")
    models(tmp_path, "[models")
    made = await configurations.import_files()
    assert made.version.lists == {
        "a.txt": b"one\n",
        "b.txt": b"two\n# this line was not UTF-8\nthree\t4\n",
    }
    assert set(made.troubles) == {"models.toml", "safety/c.txt"}
    await patched(configurations, {"safety": {"lists": {"a.txt": "uno\n", "d.txt": "four\n"}}})
    (folder / "a.txt").write_text("eins\n", "utf-8")
    (folder / "b.txt").unlink()
    made = await configurations.import_files()
    assert made.version.lists == {"a.txt": b"uno\n", "d.txt": b"four\n"}
    assert 'safety.lists."a.txt"' in made.troubles["safety/a.txt"]
    # A folder that is gone takes no list out of force.
    shutil.rmtree(folder)
    assert (await configurations.import_files()).version.lists.keys() == {"a.txt", "d.txt"}


async def test_another_directory_of_the_same_database(
    configurations: Configurations, database: Database, tmp_path: Path, url: str
) -> None:
    """Gateways on one PostgreSQL: what stands on one machine does not undo what another has."""
    if not url:
        pytest.skip("an SQLite database is of one directory")
    models(tmp_path, f"[models.{V3}]\nrpm = 5\n")
    await configurations.started()
    folders = [tmp_path / name for name in ("old", "other", "none")]
    for folder in folders:
        folder.mkdir()
    old, other, none = (Configurations(database, settings(each, url)) for each in folders)
    models(folders[0], f"[models.{V3}]\nrpm = 5\n")
    await patched(configurations, card(rpm=6))
    # One with the same file is a sibling, one without a file has nothing to say.
    assert (await old.import_files()).version.tree == card(rpm=6)
    assert (await none.import_files()).version.tree == card(rpm=6)
    models(folders[1], f"[models.{V3}]\nrpm = 9\n")
    made = await other.import_files()
    assert "rpm" in made.troubles["models.toml"]
    assert made.version.tree == card(rpm=6)
    # From then on, an edit is one.
    models(folders[0], f"[models.{V3}]\nrpm = 5\ntpm = 4\n")
    assert (await old.import_files()).version.tree == card(rpm=6, tpm=4)


async def test_each_version_is_audited(
    configurations: Configurations, database: Database, tmp_path: Path
) -> None:
    models(tmp_path, BIG)
    await configurations.started()
    await patched(configurations, {"deployments": {"big": {"key": "sk-new", "slots": 9}}})
    page = await database.read(lambda c: audit.page(c, audit.Filters("config"), 0, 10))
    assert [(row.actor, row.action) for row in page.rows] == [
        ("app-1", "config.apply"),
        ("file", "config.apply"),
    ]
    text = "".join(f"{row.before}{row.after}{row.detail}" for row in page.rows)
    assert "deployments.big.slots" in text
    assert "sk-" not in text
