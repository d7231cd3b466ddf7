"""The groups of the browser's person: those that he is in, and those that he manages."""

from __future__ import annotations

import asyncio

import msgspec

from xinghe.admin.groups import GroupList, GroupView
from xinghe.api.errors import Errors
from xinghe.console.calls import Refused
from xinghe.console.page import Page

GROUPS = "/admin/v1/groups"
MOST = 200
"""Of the service or of one organisation that are found."""
ORGANISATIONS = 10
"""Whose groups are found, too."""


async def groups(page: Page) -> list[GroupView]:
    """Those that one manages."""
    return managed(await listed(page))


async def listed(page: Page) -> list[GroupView]:
    """Those that one is in, or manages as one of an organisation's; for operators, all."""
    try:
        found = (await page.api.get(GROUPS, GroupList, limit=MOST)).data
    except Refused as refused:
        if refused.code != Errors.NOT_PERMITTED.value.code:
            raise
        return []  # whoever is in no group may not list any
    if page.session.member.operator:
        return found
    organisations = [each for each in managed(found) if each.parent is None][:ORGANISATIONS]
    below = await asyncio.gather(
        *(page.api.get(GROUPS, GroupList, parent=each.id, limit=MOST) for each in organisations)
    )
    every = found + [each for inner in below for each in inner.data]
    return list({each.id: each for each in every}.values())


def managed(among: list[GroupView]) -> list[GroupView]:
    """Only to managers, the API tells which wallet is a group's."""
    return [each for each in among if each.wallet is not msgspec.UNSET]
