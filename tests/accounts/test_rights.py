"""How a caller stands to a group and to a member, and what that allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from xinghe.accounts.rights import (
    RIGHTS,
    GroupPlace,
    MemberPlace,
    Relation,
    may,
    refused_fields,
    to_group,
    to_member,
    to_membership,
    to_own_wallet,
)

SCHOOL = GroupPlace(1)
CLASS = GroupPlace(2, parent_id=1)
OTHER = GroupPlace(3, parent_id=1)
ELSEWHERE = GroupPlace(9)

PUPIL = 50


@dataclass(frozen=True)
class Caller:
    roles: Mapping[int, str] = field(default_factory=dict)
    operator: bool = False
    member_id: int = 7


def relations(found: frozenset[Relation]) -> set[str]:
    return {each.value for each in found}


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ({}, set()),
        ({9: "owner"}, set()),
        ({3: "owner"}, set()),
        ({2: "member"}, {"member"}),
        ({2: "manager"}, {"manager"}),
        ({2: "owner"}, {"owner"}),
        ({1: "member"}, set()),
        ({1: "manager"}, {"manager", "above"}),
        ({1: "owner"}, {"owner", "above"}),
        ({1: "manager", 2: "owner"}, {"owner", "above"}),
        ({1: "owner", 2: "member"}, {"owner", "above"}),
        ({1: "member", 2: "manager"}, {"manager"}),
    ],
)
def test_to_a_group_of_an_organisation(roles: dict[int, str], expected: set[str]) -> None:
    assert relations(to_group(Caller(roles), CLASS)) == expected


def test_nobody_but_an_operator_is_above_an_organisation() -> None:
    assert relations(to_group(Caller({1: "owner"}), SCHOOL)) == {"owner"}
    assert relations(to_group(Caller(operator=True), SCHOOL)) == {"operator"}


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ({}, set()),
        ({2: "member"}, set()),
        ({9: "owner"}, set()),
        ({2: "manager"}, {"manager", "in charge"}),
        ({2: "owner"}, {"owner", "in charge"}),
        ({1: "manager"}, {"manager", "in charge"}),
    ],
)
def test_to_a_member_of_one_group(roles: dict[int, str], expected: set[str]) -> None:
    pupil = MemberPlace(PUPIL, groups=((CLASS, "member"),))
    assert relations(to_member(Caller(roles), pupil)) == expected


def test_who_manages_one_of_two_groups_is_not_in_charge() -> None:
    pupil = MemberPlace(PUPIL, groups=((CLASS, "member"), (OTHER, "member")))
    assert relations(to_member(Caller({2: "owner"}), pupil)) == {"owner"}
    assert Relation.IN_CHARGE in to_member(Caller({2: "owner", 3: "manager"}), pupil)
    assert Relation.IN_CHARGE in to_member(Caller({1: "manager"}), pupil)


@pytest.mark.parametrize(
    "member",
    [
        MemberPlace(PUPIL, operator=True, groups=((CLASS, "member"),)),
        MemberPlace(PUPIL, has_tokens=True, groups=((CLASS, "member"),)),
        MemberPlace(PUPIL, groups=((CLASS, "owner"),)),
        MemberPlace(PUPIL, groups=((CLASS, "member"), (ELSEWHERE, "member"))),
    ],
    ids=["an operator", "has tokens of his own", "as high", "is elsewhere too"],
)
def test_an_owner_is_not_in_charge_of(member: MemberPlace) -> None:
    assert relations(to_member(Caller({2: "owner"}), member)) == {"owner"}


def test_a_manager_is_not_in_charge_of_a_manager() -> None:
    manager = MemberPlace(PUPIL, groups=((CLASS, "manager"),))
    assert relations(to_member(Caller({2: "manager"}), manager)) == {"manager"}
    assert Relation.IN_CHARGE in to_member(Caller({2: "owner"}), manager)


def test_nobody_is_in_charge_of_a_member_without_groups() -> None:
    alone = MemberPlace(PUPIL)
    assert to_member(Caller({2: "owner"}), alone) == frozenset()
    assert relations(to_member(Caller(member_id=PUPIL), alone)) == {"self"}
    assert relations(to_member(Caller(operator=True), alone)) == {"operator"}


def test_a_manager_may_remove_plain_members_and_everybody_himself() -> None:
    manager = Caller({2: "manager"})
    assert may(to_membership(manager, CLASS, PUPIL, "member"), "memberships.remove")
    assert not may(to_membership(manager, CLASS, PUPIL, "manager"), "memberships.remove")
    assert not may(to_membership(manager, CLASS, PUPIL, "owner"), "memberships.remove")
    assert may(to_membership(manager, CLASS, manager.member_id, "manager"), "memberships.remove")
    assert not may(to_membership(Caller({2: "member"}), CLASS, PUPIL, "member"), "memberships.list")


def test_an_own_wallet_is_no_matter_of_a_group() -> None:
    assert to_own_wallet(Caller({1: "owner", 2: "owner"}), PUPIL) == frozenset()
    assert relations(to_own_wallet(Caller(member_id=PUPIL), PUPIL)) == {"self"}


def test_a_field_may_need_more_than_its_operation() -> None:
    manager = to_group(Caller({2: "manager"}), CLASS)
    assert may(manager, "invitations.create")
    assert not may(manager, "invitations.create", ["role"])
    assert refused_fields(manager, "invitations.create", ["uses", "role"]) == ["role"]
    assert may(to_group(Caller({2: "owner"}), CLASS), "invitations.create", ["role"])


def test_what_bounds_a_group_is_set_from_above() -> None:
    for operation, fields in (("budgets.create", []), ("groups.change", ["models"])):
        assert not may(to_group(Caller({2: "owner"}), CLASS), operation, fields)
        assert may(to_group(Caller({1: "owner"}), CLASS), operation, fields)


def test_an_operator_may_do_everything() -> None:
    for name, right in RIGHTS.items():
        for who in (right.who, *right.fields.values()):
            assert Relation.OPERATOR in who, name
