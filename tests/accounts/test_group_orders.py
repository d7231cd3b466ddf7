"""Any order of joining, leaving, ordering wallets and deleting, told twice and compared."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, ClassVar, TypeVar, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.ledger.stores import InMemory, OnServer, Store
from xinghe.accounts import AccountError, Members
from xinghe.accounts.group_tables import PAYS, Pays
from xinghe.accounts.groups import OWN, Groups
from xinghe.accounts.invitations import Invitations
from xinghe.accounts.principal import standing
from xinghe.accounts.rights import RANK, Role
from xinghe.ledger import check
from xinghe.storage import Connection, Database

T = TypeVar("T")

NAMES = st.sampled_from(["a", "b"])
GROUPS = st.sampled_from(["school", "class", "team"])
ORDERS = st.permutations([OWN, "school", "class", "team"]).flatmap(
    lambda names: st.integers(0, 4).map(lambda most: names[:most])
)
ROLES = st.sampled_from([cast("Role", role) for role in RANK])


class AtOnce:
    """A `Database` whose operations are done when they are asked for, each in a transaction."""

    def __init__(self, store: Store) -> None:
        self.session = store.session

    async def read(self, operation: Callable[[Connection], T]) -> T:
        return operation(self.session)

    async def write(self, operation: Callable[[Connection], T], *, idle: bool = False) -> T:
        self.session.begin()
        try:
            result = operation(self.session)
        except BaseException:
            self.session.rollback()
            raise
        self.session.commit()
        return result


def done(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine that never suspends returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise AssertionError("it suspended")


class Places(RuleBasedStateMachine):
    """Two names of members and three of groups, of which one belongs to another."""

    make: ClassVar[list[Callable[[], Store]]]
    """The database of the run."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make[0]()
        self.database = AtOnce(self.store)
        database = cast("Database", self.database)
        self.members, self.groups = Members(database), Groups(database)
        self.invitations = Invitations(database)
        self.roles: dict[str, dict[str, str]] = {}
        """By group and member."""
        self.order: dict[str, list[str]] = {}
        self.numbers = count()

    def teardown(self) -> None:
        assert check(self.database.session) == []
        self.store.close()

    def does(self, allowed: bool, coroutine: Coroutine[Any, Any, T]) -> T | None:
        """Whether it is refused is as it must be."""
        if allowed:
            return done(coroutine)
        with pytest.raises(AccountError):
            done(coroutine)
        return None

    def usable(self, member: str) -> set[str]:
        inner = {group for group, roles in self.roles.items() if member in roles}
        return {OWN, *inner, *(["school"] if "class" in inner else [])}

    def lonely(self, group: str, member: str) -> bool:
        """Whether others are in a group, whose only owner is this member."""
        roles = self.roles[group]
        owners = [name for name, role in roles.items() if role == "owner"]
        return owners == [member] and len(roles) > 1

    def joined(self, group: str, member: str, role: Role, pays: Pays) -> None:
        self.roles[group][member] = role
        others = [name for name in self.order[member] if name not in {OWN, group}]
        first, *second = {"own": OWN, "group": group}[pays.split(",")[0]], *pays.split(",")[1:]
        if pays != "own":
            last = {"own": [OWN], "group": [group]}[second[0]] if second else []
            self.order[member] = [first, *others, *last]

    def left(self, member: str) -> None:
        kept = [name for name in self.order[member] if name in self.usable(member)]
        self.order[member] = kept or [OWN]

    @initialize()
    def all_are_there(self) -> None:
        for group in ("school", "class", "team"):
            self.make_group(group)
        for member in ("a", "b"):
            self.make_member(member)

    @precondition(lambda self: len(self.roles) < 3)
    @rule(name=GROUPS)
    def make_group(self, name: str) -> None:
        parent = "school" if name == "class" else None
        free = name not in self.roles and (parent is None or parent in self.roles)
        self.does(free, self.groups.create(name, parent=parent, amount=7))
        if free:
            self.roles[name] = {}

    @precondition(lambda self: len(self.order) < 2)
    @rule(name=NAMES)
    def make_member(self, name: str) -> None:
        free = name not in self.order
        self.does(free, self.members.create(name, amount=3))
        if free:
            self.order[name] = [OWN]

    @rule(
        group=GROUPS,
        name=NAMES,
        role=ROLES,
        pays=st.sampled_from(PAYS),
        invited=st.booleans(),
        order=ORDERS,
    )
    def join(
        self, group: str, name: str, role: Role, pays: Pays, invited: bool, order: list[str]
    ) -> None:
        there = group in self.roles
        allowed = there and name not in self.roles[group]
        if invited:
            made = self.does(there, self.invitations.create(group, role=role, pays=pays))
            if made is None:
                return
            code, known = made[1], name in self.order
            self.does(
                allowed,
                (self.invitations.accept if known else self.invitations.sign_up)(code, name),
            )
            assert done(self.invitations.get(made[0].id)).uses_left == (0 if allowed else 1)
        else:
            allowed = allowed and name in self.order
            self.does(allowed, self.groups.add(group, name, role=role, pays=pays))
        if allowed:
            self.order.setdefault(name, [OWN])
            self.joined(group, name, role, pays)
            if order:
                self.set_payment(name, [each for each in order if each in self.usable(name)])

    @precondition(lambda self: any(self.roles.values()))
    @rule(group=GROUPS, member=NAMES)
    def remove(self, group: str, member: str) -> None:
        every = ("school", "class") if group == "school" else (group,)
        left = [each for each in every if each in self.roles]
        placed = member in self.roles.get(group, {})
        allowed = placed and not any(self.lonely(each, member) for each in left)
        self.does(allowed, self.groups.remove(group, member))
        if allowed:
            for each in left:
                self.roles[each].pop(member, None)
            self.left(member)

    @precondition(lambda self: any(self.roles.values()))
    @rule(group=GROUPS, member=NAMES, role=ROLES)
    def set_role(self, group: str, member: str, role: Role) -> None:
        placed = member in self.roles.get(group, {})
        allowed = placed and (role == "owner" or not self.lonely(group, member))
        self.does(allowed, self.groups.set_role(group, member, role))
        if allowed:
            self.roles[group][member] = role

    @rule(member=NAMES, order=ORDERS)
    def set_payment(self, member: str, order: list[str]) -> None:
        allowed = bool(order) and member in self.order and self.usable(member).issuperset(order)
        self.does(allowed, self.groups.set_payment(member, order))
        if allowed:
            self.order[member] = order

    @precondition(lambda self: any(self.roles.values()))
    @rule(group=GROUPS)
    def delete_group(self, group: str) -> None:
        allowed = group in self.roles
        allowed = allowed and (group != "school" or "class" not in self.roles)
        self.does(allowed, self.groups.delete(group))
        if allowed:
            del self.roles[group]
            for member in self.order:  # nor does that of its organisation pay any longer
                self.left(member)

    @precondition(lambda self: any(self.roles.values()))
    @rule(member=NAMES)
    def delete_member(self, member: str) -> None:
        allowed = member in self.order
        self.does(allowed, self.members.delete(member))
        if allowed:
            del self.order[member]
            for roles in self.roles.values():
                roles.pop(member, None)

    @invariant()
    def both_tell_the_same(self) -> None:
        told = {group.name: group for group in done(self.groups.page())}
        assert {*told} == {*self.roles}
        for name, roles in self.roles.items():
            placed = done(self.groups.members(name))
            assert {place.member: place.role for place in placed} == roles
        for member in done(self.members.page()):
            order = self.order[member.name]
            paying = [source.group or OWN for source in done(self.groups.payment(member.name))]
            assert paying == order
            held = standing(self.database.session, member.id, 0)
            wallets = [member.id if name == OWN else told[name].wallet_id for name in order]
            assert list(held.wallets) == wallets
            assert held.roles == {
                told[name].id: roles[member.name]
                for name, roles in self.roles.items()
                if member.name in roles
            }


def any_order(make: Any, examples: int) -> None:
    machine = type("Run", (Places,), {"make": [make]})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )


def test_any_order_on_sqlite() -> None:
    any_order(InMemory, 25)


def test_any_order_on_postgresql(postgres: Any) -> None:
    url = postgres.database()
    any_order(lambda: OnServer(url), 6)


@pytest.mark.slow
def test_very_many_orders() -> None:
    any_order(InMemory, 3000)
