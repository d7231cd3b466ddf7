"""Which group a page is about, and what all pages of a group show of it."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from xinghe.admin.people import PersonView
from xinghe.console.groups import GROUPS
from xinghe.console.page import Page

PATH = "/console/group"
ONE = f"{PATH}/{{group:int}}"
PERSON = f"{ONE}/members/{{member}}"


class Stop(msgspec.Struct, frozen=True):
    """What keeps somebody from asking: `disabled`, or a used-up budget until it opens again."""

    why: str
    until: str | None = None
    zone: str = ""
    model: str | None = None


def api_path(page: Page) -> str:
    """The API's path of the group."""
    return f"{GROUPS}/{page.request.path_params['group']}"


def here(page: Page) -> str:
    return f"{PATH}/{page.request.path_params['group']}"


def form_key(once: str, body: dict[str, Any]) -> str:
    """An Idempotency-Key: the same for a form that is sent twice as it was."""
    told = msgspec.json.encode(body, order="deterministic")
    return f"{once}-{hashlib.sha256(told).hexdigest()[:32]}"


def stops(person: PersonView) -> list[Stop]:
    """What keeps him from asking, as the API tells it."""
    found = [Stop("disabled")] if person.disabled else []
    for each in person.budgets:
        if each.used is not None and each.used >= each.amount:
            found.append(Stop(each.unit, each.opens_at, each.zone, each.model))
    return found
