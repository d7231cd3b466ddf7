"""No page is left out where all are held to what a page may cost and must let everybody do."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.routing import compile_path
from tests.kit.pages import MEMBERS, OPERATORS
from tests.kit.sold import SALES

from xinghe.console.menu import ADMINISTRATION, MENU
from xinghe.console.table import ROUTES
from xinghe.console.test_every_page import PATHS

NO_PAGES = ("/console", "/console/link", "/console/prefer", "/console/usage/requests")
"""They lead on, but for a sign-in by a link."""
FILES = (".csv", ".jsonl")
OF_ONE = (
    "/console/tokens/{token}",
    "/console/usage/requests/{id}",
    "/console/members/{member}",
    "/console/group/{group:int}",
)
"""Of things that those tests make, and whatever stands below them."""


def test_every_page_is_held_to_the_bars() -> None:
    menus = [each.path for each in (*MENU, *ADMINISTRATION)]
    known = [urlsplit(each).path for each in (*menus, *PATHS, *MEMBERS, *OPERATORS, *SALES)]
    left = [
        route.path
        for route in ROUTES
        if route.method == "GET"
        and route.path not in NO_PAGES
        and not route.path.endswith(FILES)
        and not route.path.startswith(OF_ONE)
        and not any(compile_path(route.path)[0].match(path) for path in known)
    ]
    assert left == []


def test_what_operators_have_is_held_to_them() -> None:
    held = [urlsplit(each).path for each in (*OPERATORS, *SALES)]
    assert [
        each.path for each in ADMINISTRATION if not each.managers and each.path not in held
    ] == []
