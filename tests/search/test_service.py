"""Search as the service holds it, beside the command line, and the pages that it serves."""

from __future__ import annotations

import asyncio
import json
import threading
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
import structlog
from click.testing import CliRunner
from starlette.routing import Router
from starlette.testclient import TestClient

from xinghe.api.elsewhere import Identified, Nowhere, documentation_routes
from xinghe.cli.search import search
from xinghe.engines.prompts import estimated_tokens
from xinghe.search.corpus import SHARE
from xinghe.search.indexing import documentation
from xinghe.search.service import SearchService
from xinghe.settings import Search, Settings, SettingsError
from xinghe.storage.sqlite import connect

BASE = "http://127.0.0.1:8000"


def command(*arguments: str, data: Path, code: int = 0) -> str:
    result = CliRunner().invoke(search, [*arguments, "--data", str(data)])
    structlog.reset_defaults()
    assert result.exit_code == code, result.output
    return result.output


class Counting:
    """An embedder whose vectors tell how often 香 and 茶 stand in a text."""

    def __init__(self) -> None:
        self.passages = 0
        self._grown = asyncio.Condition()

    async def reached(self, passages: int) -> None:
        async with self._grown:
            await self._grown.wait_for(lambda: self.passages >= passages)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[bytes]:
        async with self._grown:
            self.passages += len(texts) if kind == "passage" else 0
            self._grown.notify_all()
        return [array("f", (1, text.count("香"), text.count("茶"))).tobytes() for text in texts]


async def test_the_service_finds_what_the_command_line_indexes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinghe.search.service.LOOK_SECONDS", 0.05)
    embedder = Counting()
    service = SearchService(Settings(data=str(tmp_path)), base_url=BASE, embedder=embedder)
    await service.start()
    try:
        papers = tmp_path / "papers"
        papers.mkdir()
        (papers / "tea.md").write_text("# 武夷岩茶\n岩骨花香,产于武夷山。", "utf-8")
        made = json.loads(
            await asyncio.to_thread(command, "index", str(papers), "--json", data=tmp_path)
        )
        assert made == {"name": "papers", "added": 1, "unchanged": 0, "dropped": 0, "skipped": 0}
        (first, *_) = await service.searcher.search(
            "武夷岩茶产地", number=3, references=3, budget=500, measure=estimated_tokens
        )
        assert first.url == f"{BASE}/documentation/papers/tea.md"
        assert service.corpus is not None
        total = sum(each.passages for each in service.corpus.collections())
        async with asyncio.timeout(20):
            await embedder.reached(total)
    finally:
        await service.stop()


def test_list_and_remove(tmp_path: Path) -> None:
    (tmp_path / "tea.md").write_text("# 茶\n绿茶。", "utf-8")
    command("index", str(tmp_path), "--name", "papers", "--private", data=tmp_path)
    assert "papers  no" in command("list", data=tmp_path)
    command("remove", "papers", data=tmp_path)
    assert "papers" not in command("list", data=tmp_path)
    assert "there is no collection" in command("remove", "papers", data=tmp_path, code=1)


async def test_without_the_documentation(tmp_path: Path) -> None:
    for wanted, names in ((True, ["documentation"]), (False, [])):
        settings = Settings(data=str(tmp_path), search=Search(documentation=wanted))
        service = SearchService(settings, base_url=BASE)
        await service.start()
        assert service.corpus is not None
        assert service.corpus.coming is not None
        await service.corpus.coming
        assert [each.name for each in service.corpus.collections()] == names
        await service.stop()


async def test_every_page_is_served_as_text(tmp_path: Path) -> None:
    service = SearchService(Settings(data=str(tmp_path)), base_url=BASE)
    await service.start()
    assert service.corpus is not None
    assert service.corpus.coming is not None
    await service.corpus.coming
    client = TestClient(Identified(Router([*documentation_routes(service.corpus), Nowhere()])))
    for page in documentation():
        answer = client.get(f"/documentation/{page.name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.strip() == page.read_text("utf-8").strip()
    for path in ("", "gone.md", "../search.db", "%2e%2e/xinghe.db", "documentation/README.md/"):
        answer = client.get(f"/documentation/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["error"]["code"] == "no_such_path"
    await service.stop()


@pytest.mark.parametrize("provider", ["searxng", "baidu"])
async def test_online_providers_need_no_corpus(
    tmp_path: Path, provider: Literal["searxng", "baidu"], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Search(provider=provider, url="http://127.0.0.1:9", key_env="SOME_KEY")
    if provider == "baidu":
        with pytest.raises(SettingsError, match="SOME_KEY"):
            SearchService(Settings(data=str(tmp_path), search=chosen), base_url=BASE)
        monkeypatch.setenv("SOME_KEY", "secret")
    service = SearchService(Settings(data=str(tmp_path), search=chosen), base_url=BASE)
    await service.start()
    assert service.corpus is None
    await service.stop()
    assert not (tmp_path / "search.db").exists()


def test_the_command_line_says_what_it_wants(tmp_path: Path) -> None:
    assert "documentation" in command(
        "index", str(tmp_path), "--name", "documentation", data=tmp_path, code=2
    )
    assert "'a/b'" in command("index", str(tmp_path), "--name", "a/b", data=tmp_path, code=2)
    assert "URL" in command("index", str(tmp_path), "--url", "ftp://x", data=tmp_path, code=2)
    assert "does not exist" in command("index", str(tmp_path / "no"), data=tmp_path, code=2)
    assert "no Xinghe database" in command("list", data=tmp_path / "none", code=1)
    assert not (tmp_path / "none").exists()
    (tmp_path / "a.exe").write_bytes(b"x")
    assert "skipped" in command("index", str(tmp_path), "--name", "a", data=tmp_path)
    assert "operations.md" in command("query", "怎么备份数据库", data=tmp_path)


async def test_a_corpus_that_cannot_be_written_now_keeps_the_service_from_nothing(
    tmp_path: Path,
) -> None:
    settings = Settings(data=str(tmp_path))
    service = SearchService(settings, base_url=BASE)
    await service.start()
    assert service.corpus is not None
    assert service.corpus.coming is not None
    await service.corpus.coming
    await service.stop()
    indexing = connect(tmp_path / "search.db")
    indexing.execute("BEGIN IMMEDIATE")
    service = SearchService(settings, base_url=BASE)
    assert service.corpus is not None
    service.corpus._connection.set_busy_timeout(50)
    await service.start()
    found = await service.searcher.search(
        "星河", number=3, references=3, budget=500, measure=estimated_tokens
    )
    assert found
    await service.stop()
    indexing.close()


async def test_a_full_queue_ends_neither_the_vectors_nor_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinghe.search.service.LOOK_SECONDS", 0.05)
    embedder = Counting()
    service = SearchService(Settings(data=str(tmp_path)), base_url=BASE, embedder=embedder)
    await service.start()
    assert service.corpus is not None
    over = threading.Event()
    reads = [
        asyncio.create_task(service.corpus.read(lambda _: over.wait(60))) for _ in range(SHARE + 1)
    ]
    await asyncio.sleep(0)
    service._used.set()
    for _ in range(10):
        await asyncio.sleep(0.02)
    over.set()
    await asyncio.gather(*reads)
    async with asyncio.timeout(20):
        await embedder.reached(1)
    await service.stop()
