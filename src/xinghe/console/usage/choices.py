"""What the form of the filters offers: groups, members, models and access tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import msgspec

from xinghe.admin.groups import GroupView, MembershipList
from xinghe.admin.tokens import TokenList
from xinghe.api.models import ModelList
from xinghe.console.groups import GROUPS, groups
from xinghe.console.page import Page
from xinghe.console.usage.filters import Filters

MOST = 200
"""Of each that are offered; others are written by hand."""

T = TypeVar("T")


class Choice(msgspec.Struct, frozen=True):
    """A value of a filter, and what people do call it."""

    value: str
    name: str


class Choices(msgspec.Struct):
    """`members` are suggestions; `names_members`: one may ask about a member by his name."""

    groups: list[Choice]
    members: list[Choice]
    models: list[Choice]
    tokens: list[Choice]
    names_members: bool


async def choices(page: Page, asked: Filters) -> Choices:
    """What the browser's person may ask for; what is asked for is always among it."""
    session = page.session
    admin = "admin" in session.scopes
    mine, tokens, models = await asyncio.gather(
        groups(page) if admin else _nothing(list[GroupView]()),
        _tokens(page) if admin and not asked["group"] else _nothing(list[Choice]()),
        _models(page)
        if {"account.read", "model.call"} & {*session.scopes}
        else _nothing(list[Choice]()),
    )
    members: list[Choice] = []
    for each in mine:
        if each.name == asked["group"]:
            members = await _members(page, each)
    return Choices(
        _with([Choice(each.name, each.name) for each in mine], asked["group"]),
        members,
        _with(models, asked["model"]),
        _with(tokens, asked["token"]),
        bool(asked["group"] or asked["member"]) or (admin and session.member.operator),
    )


async def _members(page: Page, group: GroupView) -> list[Choice]:
    found = await page.api.get(f"{GROUPS}/{group.id}/members", MembershipList, limit=MOST)
    return [Choice(each.member, each.name) for each in found.data]


async def _tokens(page: Page) -> list[Choice]:
    found = await page.api.get(f"{page.member}/tokens", TokenList, limit=MOST)
    return [Choice(each.id, f"{each.name} ({each.id})") for each in found.data]


async def _models(page: Page) -> list[Choice]:
    found = await page.api.get("/v1/models", ModelList)
    return [Choice(each.id, each.id) for each in found.data]


def _with(offered: list[Choice], chosen: str) -> list[Choice]:
    known = not chosen or any(each.value == chosen for each in offered)
    return offered if known else [*offered, Choice(chosen, chosen)]


def _nothing(value: T) -> Awaitable[T]:
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    done.set_result(value)
    return done
