"""What is sold at a service, and the pages of the console that sell it."""

from __future__ import annotations

import json

from tests.kit.server import Server

NAME = "一百万 Token，够用一个学期：所有模型都能用，九十天内有效" * 2
"""As long as a name may be, nearly."""
SALES = (
    "/console/sales",
    "/console/sales?state=",
    "/console/sales/events",
    "/console/sales/packages",
    "/console/sales/packages/new",
    "/console/sales/packages/{package}",
    "/console/sales/codes",
    "/console/sales/codes/new",
    "/console/sales/codes/{batch}",
    "/console/shop/orders/{open}",
    "/console/shop/orders/{paid}",
)
"""Pages of operators; what stands in braces, `sell` says."""


def sell(server: Server, buyer: str) -> dict[str, str]:
    """Offer a package, have a member buy it twice and pay once, and make codes."""
    terms = "--tokens", "1000000", "--price", "9.90", "--days", "90"
    server.run("package", "create", NAME, *terms)
    numbers = []
    for _ in range(2):
        placed = server.run("order", "place", NAME, "--member", buyer, "--json")
        numbers.append(json.loads(placed)["order"])
    server.run("order", "confirm", numbers[1], "bank 1")
    server.run("code", "create", "welcome", "500", "--count", "2", "--expires", "2099-12-31")
    [package] = json.loads(server.run("package", "list", "--json"))
    [batch] = json.loads(server.run("code", "list", "--json"))
    return {
        "package": str(package["id"]),
        "batch": str(batch["id"]),
        "open": numbers[0],
        "paid": numbers[1],
    }
