"""Who may do what: every role × every operation, over HTTP's own status.

A new operation has no row here, and fails until it gets one.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.admin.desk import Desk, unique
from tests.admin.requests import REQUESTS
from tests.admin.world import funded, made
from xinghe.accounts import Members
from xinghe.admin.table import OPERATIONS

ROLES = (
    "operator", "owner above", "manager above", "owner", "manager", "member", "himself",
    "colleague", "stranger", "alone",
)  # fmt: skip
"""The callers. A pupil in a class of a school is what is asked about: the two above have their
roles in the school, the next three in the class, the colleague is owner of another class of the
school, the stranger of a group elsewhere, and one is in no group."""

TABLE = """
                    | op  | above     | in the class        | self | elsewhere
                    |     | own | man | own | man  | member |      | col | str | alone
members.list        | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
members.create      | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
members.get         | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
members.change      | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
members.delete      | 200 | 403 | 403 | 403 | 403  | 404    | 403  | 404 | 404 | 404
paying_wallets.get  | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
paying_wallets.set  | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.list         | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.create       | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.get          | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.change       | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
tokens.revoke       | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
groups.list         | 200 | 200 | 200 | 200 | 200  | 200    | 200  | 200 | 200 | 403
groups.create       | 200 | 200 | 200 | 404 | 404  | 404    | 404  | 404 | 404 | 404
groups.get          | 200 | 200 | 200 | 200 | 200  | 200    | 200  | 404 | 404 | 404
groups.change       | 200 | 200 | 200 | 200 | 403  | 403    | 403  | 404 | 404 | 404
groups.delete       | 200 | 200 | 200 | 403 | 403  | 403    | 403  | 404 | 404 | 404
memberships.list    | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
memberships.add     | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 404 | 404 | 404
memberships.change  | 200 | 200 | 403 | 200 | 403  | 404    | 403  | 404 | 404 | 404
memberships.remove  | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
memberships.move    | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
people.list         | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
people.get          | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
people.spending     | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
people.limit        | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
invitations.list    | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
invitations.create  | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
invitations.revoke  | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
wallets.list        | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
wallets.get         | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
wallets.get group   | 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
wallets.grant       | 200 | 404 | 404 | 404 | 404  | 404    | 403  | 404 | 404 | 404
wallets.grant group | 200 | 403 | 403 | 403 | 403  | 404    | 404  | 404 | 404 | 404
wallets.redeem      | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
wallets.redeem group| 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
wallets.transfer    | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
wallets.transfer group| 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
codes.list          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
codes.create        | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
codes.get           | 200 | 404 | 404 | 404 | 404  | 404    | 404  | 404 | 404 | 404
codes.redemptions   | 200 | 404 | 404 | 404 | 404  | 404    | 404  | 404 | 404 | 404
codes.revoke        | 200 | 404 | 404 | 404 | 404  | 404    | 404  | 404 | 404 | 404
packages.list       | 200 | 200 | 200 | 200 | 200  | 200    | 200  | 200 | 200 | 200
packages.create     | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
packages.get        | 200 | 200 | 200 | 200 | 200  | 200    | 200  | 404 | 404 | 404
packages.change     | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 404 | 404 | 404
packages.withdraw   | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 404 | 404 | 404
orders.place        | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
orders.place group  | 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
orders.of_wallet    | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
orders.of_wallet group | 200 | 200 | 200 | 200 | 200  | 404    | 404  | 404 | 404 | 404
orders.list         | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
orders.get          | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
orders.get group    | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
orders.confirm      | 200 | 404 | 404 | 404 | 404  | 404    | 403  | 404 | 404 | 404
orders.confirm group| 200 | 403 | 403 | 403 | 403  | 404    | 403  | 404 | 404 | 404
orders.cancel       | 200 | 404 | 404 | 404 | 404  | 404    | 200  | 404 | 404 | 404
orders.cancel group | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
orders.refund       | 200 | 403 | 403 | 403 | 403  | 404    | 403  | 404 | 404 | 404
payment_events.list | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
budgets.list        | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
budgets.list group  | 200 | 200 | 200 | 200 | 200  | 403    | 403  | 404 | 404 | 404
budgets.list all    | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
budgets.create      | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.create group| 200 | 200 | 200 | 403 | 403  | 403    | 403  | 404 | 404 | 404
budgets.create all  | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
budgets.create token| 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
budgets.get         | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
budgets.change      | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.change token| 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.change own  | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
budgets.end         | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.end token   | 200 | 200 | 200 | 200 | 200  | 404    | 403  | 404 | 404 | 404
budgets.end own     | 200 | 200 | 200 | 200 | 200  | 404    | 200  | 404 | 404 | 404
config.get          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.set          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.change       | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.versions     | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.version      | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
config.revert       | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
safety.check        | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
live.get            | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
limits.get          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
doctor.get          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
backups.list        | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
backups.make        | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
backups.check       | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
audit.list          | 200 | 403 | 403 | 403 | 403  | 403    | 403  | 403 | 403 | 403
"""


def rows() -> dict[str, list[int]]:
    lines = [line.split("|") for line in TABLE.strip("\n").splitlines()[2:]]
    return {name.strip(): [int(cell) for cell in cells] for name, *cells in lines}


ROWS = rows()


def test_every_operation_has_a_row() -> None:
    named = {row.split(" ")[0] for row in ROWS}
    assert named == {operation.name for operation in OPERATIONS}
    assert ROWS.keys() == REQUESTS.keys()


@pytest.mark.parametrize("row", ROWS)
def test_who_may(desk: Desk, row: str) -> None:
    operation = next(each for each in OPERATIONS if each.name == row.split(" ", maxsplit=1)[0])
    found = []
    for role in ROLES:
        world = desk.write(partial(made, role=role))
        if row.startswith("wallets.transfer"):
            desk.write(partial(funded, world=world))
        method, path, body = REQUESTS[row](world)
        assert method == operation.method
        reply = desk.send(method, path, world.caller.token, body)
        if reply.status != 200:
            assert reply.code in {"not_permitted", "no_such_object"}, reply
        found.append(reply.status)
    assert dict(zip(ROLES, found, strict=True)) == dict(zip(ROLES, ROWS[row], strict=True))


@pytest.mark.parametrize("row", ROWS)
def test_nobody_without_the_scope_or_disabled(desk: Desk, row: str) -> None:
    world = desk.write(partial(made, role="alone"))
    method, path, body = REQUESTS[row](world)
    for scopes, disabled, code in (
        (("model.call", "account.read"), False, "no_parameter_permission"),
        (("admin",), True, "invalid_iam_token"),
    ):
        who = desk.person(unique(), operator=True, scopes=scopes)
        if disabled:
            desk.run(Members(desk.database).disable(who.id))
        reply = desk.send(method, path, who.token, body)
        assert (reply.status, reply.code) == (401, code)
    assert desk.send(method, path, None, body).code == "invalid_iam_token"
