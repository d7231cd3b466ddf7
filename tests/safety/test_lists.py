"""The operator's lists: their mistakes named, and live as soon as they are told."""

from __future__ import annotations

from structlog.testing import capture_logs

from xinghe.safety import Moderator, Verdict
from xinghe.safety.lists import phrases_of, read_list


async def test_lists_are_in_force_at_once() -> None:
    moderator = Moderator(builtin=False)
    assert moderator.check("张三丰") is None
    await moderator.use({"names.txt": "# names\n张三丰\n".encode()})
    assert moderator.check("张 三 豐") == Verdict(3, "operator/names")
    await moderator.use({"names.txt": "张三丰\t1\n李四光\n".encode()})
    assert moderator.check("张三丰") == Verdict(1, "operator/names")
    names = {"names.txt": "张三丰\t1\n李四光\n".encode()}
    await moderator.use({**names, "allow.txt": "张三丰太极拳\n".encode()})
    assert moderator.check("张三丰太极拳") is None
    assert moderator.check("李四光") == Verdict(3, "operator/names")
    await moderator.use({})
    assert moderator.check("李四光") is None


def test_broken_lines_are_named_and_skipped() -> None:
    data = (
        b"\xef\xbb\xbfgood\n\xff\xfe\n!!!\nbad\t5\nworse\tx\nfine\t2\n" + b"a" * 81 + b"\n# no\n\n"
    )
    with capture_logs() as logs:
        Moderator({"mine.txt": data}, builtin=False)
    told = {entry["line"]: entry["why"] for entry in logs if "line" in entry}
    assert set(told) == {2, 3, 4, 5, 7}
    assert "'5' is not in 1 to 4" in told[4]
    found = phrases_of({"mine.txt": data})
    words = {(word, phrase.flag) for phrase in found for word in phrase.words(0)}
    assert words == {("good", 3), ("fine", 2)}


def test_an_allow_list_takes_no_flags() -> None:
    found = read_list("allow.txt", "甲甲\t3\n乙乙".encode())
    assert [number for number, _ in found.broken] == [1]
    assert [phrase.flag for phrase in found.phrases] == [0]


def test_no_log_line_holds_what_was_found_or_listed() -> None:
    with capture_logs() as logs:
        moderator = Moderator({"names.txt": "甲甲甲\n乙乙乙\t7\n".encode()})
        assert moderator.check("甲甲甲") is not None
    assert logs
    assert "甲甲甲" not in repr(logs)
    assert "乙乙乙" not in repr(logs)


async def test_ten_thousand_phrases_are_found() -> None:
    words = [f"{chr(0x4E00 + n % 5000)}{chr(0x5E00 + n // 7)}第{n}号" for n in range(10_000)]
    moderator = Moderator(builtin=False)
    await moderator.use({"many.txt": "\n".join(words).encode()})
    assert moderator.check(f"见{words[-1]}") == Verdict(3, "operator/many")
    assert all(moderator.check(word) for word in words[::97])
