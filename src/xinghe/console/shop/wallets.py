"""The wallets at somebody's disposal: his own, and those of the groups that he manages."""

from __future__ import annotations

import asyncio
import re

import msgspec

from xinghe.admin.groups import GroupView, MembershipList
from xinghe.admin.members import MemberView
from xinghe.console.groups import GROUPS, MOST, groups, listed, managed
from xinghe.console.page import Page

MANAGED = 5
"""Groups whose members are offered as receivers."""
_NUMBER = re.compile("[1-9][0-9]{0,14}", re.ASCII)


class Payer(msgspec.Struct, frozen=True):
    """A wallet; `group` is the name of the group whose it is, empty for one's own."""

    wallet: int
    group: str = ""


class Around(msgspec.Struct, frozen=True):
    """Whose Tokens one may spend, one's own first; and to whom they may be moved: the names of
    groups, and of those members whom one may know.
    """

    payers: list[Payer]
    groups: list[str]
    members: list[str]


async def payers(page: Page) -> list[Payer]:
    """One's own first."""
    member, mine = await asyncio.gather(page.api.get(page.member, MemberView), groups(page))
    return _payers(member, mine)


async def around(page: Page) -> Around:
    member, known = await asyncio.gather(page.api.get(page.member, MemberView), listed(page))
    members: list[str] = []
    if not page.session.member.operator:  # he may know everybody
        places = await asyncio.gather(
            *(
                page.api.get(f"{GROUPS}/{each.id}/members", MembershipList, limit=MOST)
                for each in managed(known)[:MANAGED]
            )
        )
        names = {each.name: None for place in places for each in place.data}
        members = [each for each in names if each != member.name]
    return Around(_payers(member, managed(known)), [each.name for each in known], members)


def _payers(member: MemberView, mine: list[GroupView]) -> list[Payer]:
    of_groups = [Payer(each.wallet, each.name) for each in mine if each.wallet is not msgspec.UNSET]
    return [Payer(member.wallet), *of_groups]


def chosen(among: list[Payer], value: str) -> Payer:
    """The wallet that a URL names; one's own where it names none of them."""
    return next((each for each in among if str(each.wallet) == value), among[0])


def named(among: list[Payer], value: str) -> Payer:
    """The wallet that a form names; of one that is nobody's here any more, the API says so."""
    found = next((each for each in among if str(each.wallet) == value), None)
    return found or Payer(int(value) if _NUMBER.fullmatch(value) else 0)
