"""Files become documents: all kinds, incrementally, and no file can stop the run."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path

import psutil
import pytest

from tests.search.papers import ARTICLE, pdf
from xinghe.search.corpus import Corpus
from xinghe.search.extractor import Extractor, Unreadable
from xinghe.search.indexing import MAX_FILE_BYTES, Report, index
from xinghe.search.local import LocalProvider

BASE = "http://host:8000"


async def test_every_kind_is_found(corpus: Corpus, extractor: Extractor, tmp_path: Path) -> None:
    root = tmp_path / "papers"
    (root / "below").mkdir(parents=True)
    (root / "a.md").write_text("# 茶\n\n绿茶属于不发酵茶。\n", "utf-8")
    (root / "b.txt").write_bytes("普洱茶是后发酵茶,产于云南。".encode("gb18030"))
    (root / "c.txt").write_bytes("乌龙茶是半发酵茶。".encode("utf-16"))
    (root / "below" / "d.html").write_text(ARTICLE, "utf-8")
    (root / "e.pdf").write_bytes(pdf("Black tea is fully oxidised."))
    (root / "f.html").write_bytes(
        '<html><head><meta charset="gbk"></head><body><p>花茶以茉莉窨制。</p></body></html>'.encode(
            "gbk"
        )
    )
    report = await index(corpus, extractor, "papers", [root])
    assert (report.added, report.skipped) == (6, [])
    provider = LocalProvider(corpus, BASE)
    for query, page, words in [
        ("绿茶发酵吗", "a.md", "不发酵"),
        ("普洱茶产地在云南", "b.txt", "云南"),
        ("乌龙茶半发酵", "c.txt", "半发酵"),
        ("杭州亚运会金牌数", "below/d.html", "二百零一枚"),
        ("oxidised black tea", "e.pdf", "fully"),
        ("茉莉花茶", "f.html", "茉莉"),
    ]:
        first = (await provider.search(query, 3))[0]
        assert first.url == f"{BASE}/documentation/papers/{page}"
        assert words in (first.text or "")
        assert "alert" not in (first.text or "")
        assert words in (await corpus.page(f"papers/{page}") or "")
    assert (await provider.search("绿茶发酵", 1))[0].title == "茶"


async def test_only_what_changed_is_read_again(
    corpus: Corpus, extractor: Extractor, tmp_path: Path
) -> None:
    root = tmp_path / "papers"
    root.mkdir()
    for name in "abc":
        (root / f"{name}.md").write_text(f"# {name}\n第{name}篇讲苹果。", "utf-8")
    assert (await index(corpus, extractor, "p", [root])).added == 3
    (root / "a.md").write_text("# a\n现在讲香蕉的种植。", "utf-8")
    (root / "b.md").unlink()
    again = await index(corpus, extractor, "p", [root])
    assert (again.added, again.unchanged, again.dropped) == (1, 1, 1)
    provider = LocalProvider(corpus, BASE)
    assert [each.title for each in await provider.search("苹果", 9)] == ["c"]
    assert [each.title for each in await provider.search("香蕉种植", 9)] == ["a"]
    assert corpus.remove("p")
    assert not corpus.remove("p")
    assert await provider.search("苹果", 9) == []
    for table in ("documents", "passages", "terms", "vectors"):
        assert await rows(corpus, table) == 0, table


async def test_hostile_files_are_skipped_with_a_reason(
    corpus: Corpus, extractor: Extractor, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("机密的密码是芝麻开门")
    root = tmp_path / "hostile"
    root.mkdir()
    (root / "good.md").write_text("# 好\n正常的文档。", "utf-8")
    (root / "link.txt").symlink_to(secret)
    (root / "circle").symlink_to(root)
    (root / "gone.md").symlink_to(root / "nothing")
    (root / "junk.md").write_bytes(bytes(range(256)) * 40)
    (root / "noise.txt").write_bytes(os.urandom(5000))
    (root / "broken.pdf").write_bytes(pdf("x")[:150])
    (root / "lie.pdf").write_bytes(b"MZ" + os.urandom(2000))
    (root / "empty.md").write_text("")
    (root / "blank.html").write_text("<html><body> </body></html>")
    (root / "deep.html").write_text("<div>" * 100_000)
    (root / "program.exe").write_bytes(b"MZ")
    (root / ".hidden.md").write_text("# 隐藏的香蕉")
    with (root / "huge.txt").open("wb") as huge:
        huge.truncate(MAX_FILE_BYTES + 1)
    os.mkfifo(root / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(root / "s.md"))
    os.close(os.open(os.fsencode(root) + b"/\xff\xfe.md", os.O_CREAT | os.O_WRONLY))
    report = await index(corpus, extractor, "hostile", [root])
    assert report.added == 1
    assert corpus.collections()[0].documents == 1
    reasons = {Path(each.path).name: each.reason for each in report.skipped}
    assert len(reasons) == 14
    assert "symbolic link" in reasons["link.txt"]
    assert "binary" in reasons["junk.md"]
    assert "broken" in reasons["broken.pdf"]
    assert "broken" in reasons["lie.pdf"]
    assert "no text" in reasons["empty.md"]
    assert "regular" in reasons["pipe.txt"]
    assert str(MAX_FILE_BYTES) in reasons["huge.txt"]
    assert "none of .md" in reasons["program.exe"]
    assert "UTF-8" in reasons[r"'\udcff\udcfe.md'"]
    found = await LocalProvider(corpus, BASE).search("机密的密码", 3)
    assert found == []


async def test_a_document_that_broke_is_dropped(
    corpus: Corpus, extractor: Extractor, tmp_path: Path
) -> None:
    page = tmp_path / "a.md"
    page.write_text("# 苹果\n苹果很甜。", "utf-8")
    await index(corpus, extractor, "p", [page])
    page.write_bytes(b"\0\1\2")
    report = await index(corpus, extractor, "p", [page])
    assert (report.dropped, len(report.skipped)) == (1, 1)


async def test_two_roots_with_the_same_file_name(
    corpus: Corpus, extractor: Extractor, tmp_path: Path
) -> None:
    for folder in "xy":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.md").write_text(f"# {folder}\n正文", "utf-8")
    report = await index(corpus, extractor, "p", [tmp_path / "x", tmp_path / "y"])
    assert report.added == 1
    assert "already" in report.skipped[0].reason


async def test_a_reader_that_dies_costs_one_file(extractor: Extractor) -> None:
    async def killed() -> None:
        with pytest.raises(Unreadable):
            await extractor.read(b"<p>" + b"x" * 3_000_000 + ARTICLE.encode(), "html")

    await extractor.read(ARTICLE.encode(), "html")
    reading = asyncio.create_task(killed())
    await asyncio.sleep(0.02)
    assert extractor.pid is not None
    psutil.Process(extractor.pid).kill()
    await reading
    assert "金牌" in (await extractor.read(ARTICLE.encode(), "html")).text


async def test_what_is_private_is_served_to_nobody(
    corpus: Corpus, extractor: Extractor, tmp_path: Path
) -> None:
    page = tmp_path / "a.md"
    page.write_text("# 内部\n内部资料:奖金发放办法。", "utf-8")
    await index(corpus, extractor, "inner", [page], public=False)
    (found,) = await LocalProvider(corpus, BASE).search("奖金发放", 3)
    assert not found.public
    assert await corpus.page("inner/a.md") is None
    await index(corpus, extractor, "inner", [page], public=True, url="https://wiki.example/")
    (found,) = await LocalProvider(corpus, BASE).search("奖金发放", 3)
    assert (found.public, found.url) == (True, "https://wiki.example/a.md")
    assert await corpus.page("inner/a.md") is None
    for address in ("", "a.md", "../a.md", "inner/../inner/a.md", "inner/", "x" * 5000):
        assert await corpus.page(address) is None


async def rows(corpus: Corpus, table: str) -> int:
    return int(await corpus.read(lambda db: db.execute(f"SELECT count(*) FROM {table}").get))


async def test_writers_and_a_reader_at_once(tmp_path: Path) -> None:
    """Two command lines index the same folder while the service searches."""
    root = tmp_path / "papers"
    root.mkdir()
    for number in range(60):
        (root / f"{number}.md").write_text(f"# 文{number}\n第{number}篇讲苹果的种植。", "utf-8")
    reader = LocalProvider(Corpus.open(tmp_path), BASE)
    reports: list[Report] = []

    def write() -> None:
        corpus = Corpus.open(tmp_path)
        reports.append(asyncio.run(index(corpus, Extractor(), "p", [root])))
        corpus.close()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        found = await reader.search("苹果种植", 28)
        assert all(each.text for each in found)
    assert [report.skipped for report in reports] == [[], []]
    assert len(await reader.search("苹果种植", 28)) == 28
    await reader.aclose()
