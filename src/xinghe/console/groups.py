"""The groups that the browser's person manages."""

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
    """Those that one manages: only to managers, the API tells which wallet is a group's."""
    try:
        found = await page.api.get(GROUPS, GroupList, limit=MOST)
    except Refused as refused:
        if refused.code != Errors.NOT_PERMITTED.value.code:
            raise
        return []  # whoever is in no group may not list any
    mine = [each for each in found.data if each.wallet is not msgspec.UNSET]
    if page.session.member.operator:
        return mine
    organisations = [each for each in mine if each.parent is None][:ORGANISATIONS]
    below = await asyncio.gather(
        *(page.api.get(GROUPS, GroupList, parent=each.id, limit=MOST) for each in organisations)
    )
    every = mine + [each for listed in below for each in listed.data]
    return list({each.id: each for each in every}.values())
