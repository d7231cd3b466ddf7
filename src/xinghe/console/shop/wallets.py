"""For which wallets somebody may buy: his own, and those of the groups that he manages."""

from __future__ import annotations

import asyncio

import msgspec

from xinghe.admin.members import MemberView
from xinghe.console.groups import groups
from xinghe.console.page import Page


class Payer(msgspec.Struct, frozen=True):
    """A wallet; `group` is the name of the group whose it is, empty for one's own."""

    wallet: int
    group: str = ""


async def payers(page: Page) -> list[Payer]:
    """One's own first."""
    member, managed = await asyncio.gather(page.api.get(page.member, MemberView), groups(page))
    of_groups = [
        Payer(each.wallet, each.name) for each in managed if each.wallet is not msgspec.UNSET
    ]
    return [Payer(member.wallet), *of_groups]


def chosen(page: Page, among: list[Payer], value: str) -> Payer:
    """The wallet that a form or a URL names; one's own where it names none of them."""
    return next((each for each in among if str(each.wallet) == value), among[0])
