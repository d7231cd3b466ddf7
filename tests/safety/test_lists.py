"""The operator's lists: live within a second, their mistakes named, nothing lost to them."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.kit.pace import allowed
from xinghe.safety import Moderator, Verdict
from xinghe.safety import lists as watched
from xinghe.safety.lists import OperatorLists, phrases_of, read_list

WITHIN = 1.0


@pytest.fixture
async def moderator(tmp_path: Path) -> AsyncIterator[Moderator]:
    watching = Moderator(tmp_path / "safety", builtin=False)
    await watching.start()
    yield watching
    await watching.stop()


async def becomes(
    moderator: Moderator, text: str, wanted: Verdict | None, within: float | None = None
) -> None:
    begun = time.monotonic()
    while moderator.check(text) != wanted:
        assert time.monotonic() - begun < (within or allowed(WITHIN)), f"{text} is not {wanted}"
        await asyncio.sleep(0.01)


async def test_a_change_is_live_within_a_second(moderator: Moderator, tmp_path: Path) -> None:
    folder = tmp_path / "safety"
    assert moderator.check("张三丰") is None
    folder.mkdir()
    names = folder / "names.txt"
    names.write_text("# names\n张三丰\n", "utf-8")
    await becomes(moderator, "张 三 豐", Verdict(3, "operator/names"))
    names.write_text("张三丰\t1\n李四光\n", "utf-8")
    await becomes(moderator, "张三丰", Verdict(1, "operator/names"))
    (folder / "allow.txt").write_text("张三丰太极拳\n", "utf-8")
    await becomes(moderator, "张三丰太极拳", None)
    assert moderator.check("李四光") == Verdict(3, "operator/names")
    names.unlink()
    await becomes(moderator, "张三丰", None)


async def test_a_change_of_equal_size_right_after_another(
    moderator: Moderator, tmp_path: Path
) -> None:
    (tmp_path / "safety").mkdir()
    names = tmp_path / "safety" / "names.txt"
    for _ in range(5):
        for word in ("甲甲甲", "乙乙乙"):
            names.write_text(word, "utf-8")
            await becomes(moderator, word, Verdict(3, "operator/names"))


async def test_a_file_moved_into_place_is_seen(moderator: Moderator, tmp_path: Path) -> None:
    (tmp_path / "safety").mkdir()
    (tmp_path / "new").write_text("甲甲甲", "utf-8")
    os.utime(tmp_path / "new", (0, 0))
    (tmp_path / "new").rename(tmp_path / "safety" / "names.txt")
    await becomes(moderator, "甲甲甲", Verdict(3, "operator/names"))


async def test_a_broken_file_keeps_the_old_list(moderator: Moderator, tmp_path: Path) -> None:
    (tmp_path / "safety").mkdir()
    names = tmp_path / "safety" / "names.txt"
    names.write_text("甲甲甲", "utf-8")
    await becomes(moderator, "甲甲甲", Verdict(3, "operator/names"))
    with capture_logs() as logs:
        names.write_bytes("乙乙乙".encode("gbk"))
        async with asyncio.timeout(60):
            while not logs:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(WITHIN)
    assert moderator.check("甲甲甲") == Verdict(3, "operator/names")
    assert [entry["list"] for entry in logs] == ["names.txt"]  # Told once, not at every look.
    names.unlink()
    names.mkdir()
    await asyncio.sleep(WITHIN / 2)
    assert moderator.check("甲甲甲") == Verdict(3, "operator/names")
    names.rmdir()
    names.write_text("乙乙乙", "utf-8")
    await becomes(moderator, "乙乙乙", Verdict(3, "operator/names"))
    assert moderator.check("甲甲甲") is None


def test_broken_lines_are_named_and_skipped(tmp_path: Path) -> None:
    data = (
        b"\xef\xbb\xbfgood\n\xff\xfe\n!!!\nbad\t5\nworse\tx\nfine\t2\n" + b"a" * 81 + b"\n# no\n\n"
    )
    (tmp_path / "mine.txt").write_bytes(data)
    with capture_logs() as logs:
        lists = OperatorLists(tmp_path)
        assert lists.refresh()
    assert {entry["line"] for entry in logs} == {2, 3, 4, 5, 7}
    assert "'5' is not in 1 to 4" in next(e["why"] for e in logs if e["line"] == 4)
    words = {(word, phrase.flag) for phrase in phrases_of(lists.good) for word in phrase.words(0)}
    assert words == {("good", 3), ("fine", 2)}


def test_an_allow_list_takes_no_flags() -> None:
    found = read_list("allow.txt", "甲甲\t3\n乙乙".encode())
    assert [number for number, _ in found.broken] == [1]
    assert [phrase.flag for phrase in found.phrases] == [0]


def test_what_is_unchanged_is_not_built_again(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("甲甲甲", "utf-8")
    lists = OperatorLists(tmp_path)
    assert lists.refresh()
    assert not lists.refresh()


def test_a_file_that_could_not_be_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(watched, "_SETTLED", 0)
    (tmp_path / "names.txt").write_text("甲甲甲", "utf-8")
    lists = OperatorLists(tmp_path)
    with monkeypatch.context() as disk:
        disk.setattr(Path, "read_bytes", broken)
        assert not lists.refresh()
    assert lists.refresh()
    assert phrases_of(lists.good)


def test_a_list_that_cannot_be_looked_at_stays_in_force(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("甲甲甲", "utf-8")
    lists = OperatorLists(tmp_path)
    assert lists.refresh()
    names.unlink()
    names.symlink_to("names.txt")  # Round and round: ELOOP.
    with capture_logs() as logs:
        assert not lists.refresh()
        assert not lists.refresh()
    assert phrases_of(lists.good)
    assert [entry["list"] for entry in logs] == ["names.txt"]
    names.unlink()
    assert lists.refresh()
    assert not phrases_of(lists.good)


def test_a_folder_that_cannot_be_listed_leaves_its_lists_in_force(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("甲甲甲", "utf-8")
    lists = OperatorLists(tmp_path)
    assert lists.refresh()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # EMFILE for whatever is opened.
    try:
        assert not lists.refresh()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert phrases_of(lists.good)


def test_no_log_line_holds_what_was_found_or_listed(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("甲甲甲\n乙乙乙\t7\n", "utf-8")
    with capture_logs() as logs:
        moderator = Moderator(tmp_path)
        assert moderator.check("甲甲甲") is not None
    assert logs
    assert "甲甲甲" not in repr(logs)
    assert "乙乙乙" not in repr(logs)


async def test_ten_thousand_phrases_are_live_soon(moderator: Moderator, tmp_path: Path) -> None:
    (tmp_path / "safety").mkdir()
    words = [f"{chr(0x4E00 + n % 5000)}{chr(0x5E00 + n // 7)}第{n}号" for n in range(10_000)]
    (tmp_path / "safety" / "many.txt").write_text("\n".join(words), "utf-8")
    await becomes(moderator, f"见{words[-1]}", Verdict(3, "operator/many"), within=10)
    assert all(moderator.check(word) for word in words[::97])


async def test_stop_ends_the_watch(tmp_path: Path) -> None:
    moderator = Moderator(tmp_path, builtin=False)
    await moderator.start()
    await moderator.start()
    await moderator.stop()
    await moderator.stop()
    (tmp_path / "names.txt").write_text("甲甲甲", "utf-8")
    await asyncio.sleep(WITHIN / 2)
    assert moderator.check("甲甲甲") is None
