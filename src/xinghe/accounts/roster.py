"""A list of people that somebody keeps in a spreadsheet, to become members.

It is read whole before anybody is made: either all of it can be used, or each fault is told.
"""

from typing import cast

import msgspec

from xinghe import spreadsheet
from xinghe.accounts import rules
from xinghe.accounts.rights import RANK, Role
from xinghe.accounts.rules import AccountError

COLUMNS = {
    "name": ("姓名", "名字", "学号"),
    "role": ("角色",),
    "tokens": ("初始额度",),
    "budget": ("每月预算", "预算"),
}
"""What a person may be told by, and what else each column may be called."""


class Entrant(msgspec.Struct, frozen=True):
    """A person to be made a member. Amounts in micro-Tokens: what his own wallet gets, and what
    he may spend in a calendar month; None where nothing is said.
    """

    line: int
    name: str
    role: Role | None = None
    tokens: int | None = None
    budget: int | None = None


class Fault(msgspec.Struct, frozen=True):
    """Why nobody can be made of a line."""

    line: int
    message: str


class Roster(msgspec.Struct, frozen=True):
    """The people of a file, the encoding that it was read in, and all that is wrong with it."""

    encoding: str
    entrants: list[Entrant]
    faults: list[Fault]


def read(data: bytes) -> Roster:
    """The roster that a CSV file is. Raises `AccountError` if it is no table of `COLUMNS`."""
    try:
        sheet = spreadsheet.read(data, COLUMNS)
    except spreadsheet.SheetError as error:
        raise AccountError(str(error)) from error
    entrants, faults = [], []
    lines: dict[str, int] = {}
    for row in sheet.rows:
        try:
            entrant = _entrant(row)
            before = lines.setdefault(entrant.name, row.line)
            if before != row.line:
                raise AccountError(f"name: {entrant.name!r} is in line {before} already")
            entrants.append(entrant)
        except AccountError as error:
            faults.append(Fault(row.line, str(error)))
    return Roster(sheet.encoding, entrants, faults)


def _entrant(row: spreadsheet.Row) -> Entrant:
    name = rules.check_name(row.cells.get("name", ""))
    if name.startswith(spreadsheet.FORMULA):
        raise AccountError(f"name: {name!r} begins as a formula does")
    role = row.cells.get("role") or None
    if role is not None and role not in RANK:
        raise AccountError(f"role: {role!r} is not allowed: {', '.join(RANK)}")
    return Entrant(
        row.line, name, cast("Role | None", role), _amount(row, "tokens"), _amount(row, "budget")
    )


def _amount(row: spreadsheet.Row, column: str) -> int | None:
    text = row.cells.get(column)
    return rules.read_amount(text, field=column) if text else None
