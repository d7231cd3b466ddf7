"""A version that names files which are not here is refused before it is stored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.configuration.conftest import settings
from xinghe.catalog import CatalogError
from xinghe.configuration import Configurations
from xinghe.storage import Database

V3 = "deepseek-v3"
WHO = "app-1"
GGUF = b"GGUF and more"


def serving(table: dict[str, Any], model: str = V3) -> dict[str, Any]:
    return {"deployments": {"own": table}, "models": {model: {"deployment": "own"}}}


def own_file(path: Path, **fields: Any) -> dict[str, Any]:
    return serving({"engine": "llamacpp", "weights": str(path), **fields})


async def test_a_file_that_is_missing_is_refused_by_its_field(
    configurations: Configurations, tmp_path: Path
) -> None:
    path = tmp_path / "m.gguf"
    with pytest.raises(
        CatalogError, match=rf"deployments\.own: `weights`: there is no file {path}"
    ):
        await configurations.patch(own_file(path), WHO, source="api")
    path.write_bytes(b"something else")
    with pytest.raises(CatalogError, match="is no GGUF file"):
        await configurations.patch(own_file(path), WHO, source="api")
    path.write_bytes(GGUF)
    with pytest.raises(CatalogError, match=r"`mmproj`: there is no file"):
        await configurations.patch(own_file(path, mmproj="/nowhere"), WHO, source="api")
    path.unlink()
    os.mkfifo(path)  # nobody waits for whoever might write into it
    with pytest.raises(CatalogError, match=r"m\.gguf is no file"):
        await configurations.patch(own_file(path), WHO, source="api")
    path.unlink()
    assert await configurations.newest() == 0
    path.write_bytes(GGUF)
    assert (await configurations.patch(own_file(path), WHO, source="api")).version.number == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"weights": "/nowhere/xl"}, "`weights`: there is no file or folder /nowhere/xl"),
        ({"weights": "a/b", "config": "/nowhere"}, "`config`: there is no file or folder /nowhere"),
        ({"weights": "a/b", "python": "no-such-python"}, "`python`: there is no program"),
    ],
)
async def test_what_an_image_model_needs(
    configurations: Configurations, fields: dict[str, Any], told: str
) -> None:
    table = {"engine": "diffusers", **fields}
    with pytest.raises(CatalogError, match=told):
        await configurations.patch(serving(table, "Stable-Diffusion-XL"), WHO, source="api")


async def test_what_was_missing_before_keeps_nobody_from_changing_the_rest(
    configurations: Configurations, tmp_path: Path
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(GGUF)
    await configurations.patch(own_file(path), WHO, source="api")
    await configurations.patch({"limits": {"qps": 9.0}}, WHO, source="api")
    path.unlink()
    assert configurations.missing_files(configurations.catalog(await configurations.current())) == {
        "own": f"deployments.own: `weights`: there is no file {path}"
    }
    other = {"models": {V3: {"rpm": 5}}}
    assert (await configurations.patch(other, WHO, source="api")).version.number == 3
    # Of another deployment it is.
    await configurations.patch(
        {"models": {V3: None}, "deployments": {"own": None}}, WHO, source="api"
    )
    with pytest.raises(CatalogError, match="there is no file"):
        await configurations.revert(1, WHO, source="api")


async def test_what_a_start_fetches_must_be_here_only_for_a_service_at_work(
    database: Database, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = serving({"engine": "llamacpp", "weights": "deepseek-r1-distill-qwen-1.5b"})
    with pytest.raises(CatalogError, match="not on this machine yet: xinghe models pull"):
        await Configurations(database, settings(tmp_path, url), at_work=True).patch(
            tree, WHO, source="api"
        )
    made = await Configurations(database, settings(tmp_path, url)).patch(tree, WHO, source="api")
    assert made.version.number == 1


async def test_an_edited_file_is_refused_likewise(
    configurations: Configurations, tmp_path: Path
) -> None:
    model, file = tmp_path / "m.gguf", tmp_path / "models.toml"
    await configurations.patch({"limits": {"qps": 9.0}}, WHO, source="api")
    text = f'[deployments.own]\nengine = "llamacpp"\nweights = "{model}"\n'
    file.write_text(text + f'[models.{V3}]\ndeployment = "own"\n', "utf-8")
    made = await configurations.import_files()
    assert made.troubles["models.toml"].startswith("deployments.own: `weights`: there is no file")
    assert made.version.number == 1
    model.write_bytes(GGUF)
    made = await configurations.import_files()
    assert (made.version.number, made.troubles) == (2, {})
