"""A spreadsheet of people: what each row becomes, and every fault with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.accounts import AccountError, roster
from xinghe.accounts.roster import Entrant, Fault
from xinghe.core import MICRO


def test_a_class() -> None:
    read = roster.read("学号,角色,初始额度,每月预算\n01,owner,,\n02,,0,2.5\n".encode("gbk"))
    assert read.encoding == "gb18030"
    assert read.faults == []
    assert read.entrants == [
        Entrant(2, "01", "owner", None, None),
        Entrant(3, "02", None, 0, 2_500_000),
    ]


def test_every_fault_is_told_at_once() -> None:
    text = (
        "name,role,tokens\na,,\n,owner,\nb,boss,\na,,\n=1+1,,\n@x,,\nc,,many\nd,,-1\ne,,1e99\n"
        f"f,,{10**13}\napp-x,,\n\u200bg,,\n{'h' * 65},,\ni,,0.0000001\nj,,一\n"
    )
    read = roster.read(text.encode())
    assert [entrant.name for entrant in read.entrants] == ["a"]
    assert [fault.line for fault in read.faults] == list(range(3, 17))
    messages = iter(read.faults)
    assert next(messages).message.startswith("name: '' is not allowed: 1 to 64")
    assert next(messages).message == "role: 'boss' is not allowed: member, manager, owner"
    assert next(messages) == Fault(5, "name: 'a' is in line 2 already")
    assert next(messages).message == "name: '=1+1' begins as a formula does"
    assert next(messages).message == "name: '@x' begins as a formula does"
    assert next(messages).message.startswith("tokens: 'many' is not an amount: 0 to 1000000000000")


def test_the_same_name_in_two_spellings_is_one() -> None:
    read = roster.read("name\nJos\u00e9\nJose\u0301".encode())
    assert read.faults == [Fault(3, "name: 'José' is in line 2 already")]


@pytest.mark.parametrize("data", [b"", b"name", b"nick\na", b"\xff\xff\xff", b"a" * 2_000_000])
def test_what_is_no_roster(data: bytes) -> None:
    with pytest.raises(AccountError):
        roster.read(data)


@given(st.lists(st.tuples(st.text(max_size=70), st.text(max_size=20)), max_size=9))
def test_whatever_it_holds_each_row_is_a_person_or_a_fault(rows: list[tuple[str, str]]) -> None:
    cells = [[name.replace('"', "'"), amount.replace('"', "'")] for name, amount in rows]
    text = "name,tokens\r\n" + "".join(f'"{name}","{amount}"\r\n' for name, amount in cells)
    kept = [(name, amount) for name, amount in cells if name.strip() or amount.strip()]
    try:
        read = roster.read(text.encode(errors="replace"))
    except AccountError:
        assert not kept
        return
    assert len(read.entrants) + len(read.faults) == len(kept)
    for entrant in read.entrants:
        assert 1 <= len(entrant.name) <= 64
        assert entrant.tokens is None or 0 <= entrant.tokens <= 10**12 * MICRO
