"""Who may do what in the operators' API: the one table of roles and operations.

An operation is about something: a group, a member, or the whole service. How the caller stands to
that are his `Relation`s; one that the table names is enough. A field that the table names may be
set, or is shown, in fewer of them than the whole operation.

The command line asks nobody: whoever may open the database may do everything.
"""

import enum
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

import msgspec

Role = Literal["owner", "manager", "member"]
RANK: Mapping[str, int] = {"member": 1, "manager": 2, "owner": 3}


class Relation(enum.StrEnum):
    """How a caller stands to what an operation is about."""

    OPERATOR = "operator"
    ABOVE = "above"
    """Of a group: owner or manager of the organisation that it belongs to."""
    OWNER = "owner"
    """Of the group or its organisation; of a member, of one of the groups that he is in."""
    MANAGER = "manager"
    MEMBER = "member"
    """Of the group."""
    IN_CHARGE = "in charge"
    """Of a member who has no Tokens of his own: higher in rank in every group that he is in."""
    SELF = "self"
    """The member himself."""
    BUYER = "buyer"
    """Of a package: who may buy it, for himself or for a group that he manages. Of an order: who
    has placed it."""
    HOLDER = "holder"
    """Of an access token: whose it is. Of a budget on one: if he has made it himself, too."""


Relations = frozenset[Relation]

OPERATORS = frozenset({Relation.OPERATOR})
FROM_ABOVE = OPERATORS | {Relation.ABOVE}
OWNERS = OPERATORS | {Relation.OWNER}
MANAGERS = OWNERS | {Relation.MANAGER}
MEMBERS = MANAGERS | {Relation.MEMBER}
THEMSELVES = OPERATORS | {Relation.SELF}
IN_CHARGE = OPERATORS | {Relation.IN_CHARGE}
RESPONSIBLE = IN_CHARGE | {Relation.SELF}
BUYERS = OPERATORS | {Relation.BUYER}
LIMITERS = IN_CHARGE | FROM_ABOVE | {Relation.HOLDER}


class Caller(Protocol):
    """Who calls, and the roles that he has by the number of the group; a `Principal` is one."""

    @property
    def member_id(self) -> int: ...
    @property
    def operator(self) -> bool: ...
    @property
    def roles(self) -> Mapping[int, str]: ...


class GroupPlace(msgspec.Struct, frozen=True):
    """A group, and the organisation that it belongs to."""

    id: int
    parent_id: int | None = None


class MemberPlace(msgspec.Struct, frozen=True):
    """What a member is; `groups` are those that he is in, with his role in each."""

    member_id: int
    operator: bool = False
    has_tokens: bool = False
    """Whether his own wallet holds any, or pays for him."""
    groups: tuple[tuple[GroupPlace, str], ...] = ()


def to_nothing(caller: Caller) -> Relations:
    """Of what belongs to the whole service."""
    return OPERATORS if caller.operator else frozenset()


def rank(caller: Caller, group: GroupPlace) -> int:
    """The caller's in a group: the higher of that in it and in its organisation; 0 for none.

    Who is a plain member of the organisation is none of its groups.
    """
    above = 0 if group.parent_id is None else RANK.get(caller.roles.get(group.parent_id, ""), 0)
    own = RANK.get(caller.roles.get(group.id, ""), 0)
    return max(own, above if above > RANK["member"] else 0)


def to_group(caller: Caller, group: GroupPlace) -> Relations:
    found = set(to_nothing(caller))
    by_rank = {3: Relation.OWNER, 2: Relation.MANAGER, 1: Relation.MEMBER}
    if (own := rank(caller, group)) > 0:
        found.add(by_rank[own])
    if group.parent_id is not None:
        above = caller.roles.get(group.parent_id, "")
        if RANK.get(above, 0) >= RANK["manager"]:
            found.add(Relation.ABOVE)
    return frozenset(found)


def to_member(caller: Caller, member: MemberPlace) -> Relations:
    found = set(to_nothing(caller))
    if caller.member_id == member.member_id:
        found.add(Relation.SELF)
    ranks = [(rank(caller, group), RANK[role]) for group, role in member.groups]
    if any(own == RANK["owner"] for own, _ in ranks):
        found.add(Relation.OWNER)
    if any(own == RANK["manager"] for own, _ in ranks):
        found.add(Relation.MANAGER)
    managed = bool(ranks) and all(own > max(his, RANK["member"]) for own, his in ranks)
    if managed and not member.operator and not member.has_tokens:
        found.add(Relation.IN_CHARGE)
    return frozenset(found)


def to_token(caller: Caller, member: MemberPlace) -> Relations:
    """Of an access token of a member."""
    found = to_member(caller, member)
    return found | {Relation.HOLDER} if Relation.SELF in found else found


def to_own_wallet(caller: Caller, member_id: int) -> Relations:
    """Of a member's own wallet: whoever manages a group that he is in does not see into it."""
    found = to_nothing(caller)
    return found | {Relation.SELF} if caller.member_id == member_id else found


def to_membership(caller: Caller, group: GroupPlace, member_id: int, role: str) -> Relations:
    """Of a member's place in a group: a manager stands to that of a plain member alone."""
    found = set(to_group(caller, group)) - {Relation.MEMBER}
    if role != "member":
        found.discard(Relation.MANAGER)
    if caller.member_id == member_id:
        found.add(Relation.SELF)
    return frozenset(found)


class Right(msgspec.Struct, frozen=True):
    """Who may call an operation, and which fields of its body fewer may set."""

    who: Relations
    fields: Mapping[str, Relations] = {}


RIGHTS: Mapping[str, Right] = {
    "members.list": Right(OPERATORS),
    # of a group; without one, of the whole service
    "members.create": Right(MANAGERS, {"operator": OPERATORS, "tokens": OPERATORS}),
    # of a member
    "members.get": Right(MANAGERS | {Relation.SELF}),
    # who changes his own password says the old one: /auth/v1
    "members.change": Right(
        RESPONSIBLE, {"operator": OPERATORS, "disabled": IN_CHARGE, "password": IN_CHARGE}
    ),
    "members.delete": Right(OPERATORS),
    "tokens.list": Right(RESPONSIBLE),
    "tokens.create": Right(RESPONSIBLE),
    "tokens.get": Right(RESPONSIBLE),
    "tokens.change": Right(RESPONSIBLE),
    "tokens.revoke": Right(RESPONSIBLE),
    # of a group
    "groups.list": Right(MEMBERS),
    "groups.get": Right(MEMBERS),
    # the organisation's; without one, of the whole service
    "groups.create": Right(MANAGERS, {"tokens": OPERATORS}),
    "groups.change": Right(OWNERS | FROM_ABOVE, {"models": FROM_ABOVE}),
    "groups.delete": Right(FROM_ABOVE),
    "memberships.list": Right(MANAGERS),
    "memberships.add": Right(OPERATORS),  # others invite: nobody is put into a group unasked
    "memberships.change": Right(OWNERS),
    "memberships.remove": Right(MANAGERS | {Relation.SELF}),
    # into another group that the caller manages, too
    "memberships.move": Right(MANAGERS),
    "people.list": Right(MANAGERS),
    # a manager: plain members alone
    "people.get": Right(MANAGERS),
    "people.spending": Right(MANAGERS),
    # of those alone whose budgets the caller may set one by one
    "people.limit": Right(MANAGERS),
    "invitations.list": Right(MANAGERS),
    "invitations.create": Right(MANAGERS, {"role": OWNERS, "tokens": OPERATORS}),
    "invitations.revoke": Right(MANAGERS),
    "wallets.list": Right(OPERATORS),
    # of a wallet: of the group, or of the member whose it is
    "wallets.get": Right(MANAGERS | {Relation.SELF}),
    "wallets.grant": Right(OPERATORS),
    "wallets.redeem": Right(MANAGERS | {Relation.SELF}),
    # into which others, who is no operator: `transfers.reaches`
    "wallets.transfer": Right(MANAGERS | {Relation.SELF}),
    "codes.list": Right(OPERATORS),
    "codes.create": Right(OPERATORS),
    "codes.get": Right(OPERATORS),
    "codes.redemptions": Right(OPERATORS),
    "codes.revoke": Right(OPERATORS),
    "packages.list": Right(BUYERS),
    "packages.create": Right(OPERATORS),
    "packages.get": Right(BUYERS),
    "packages.change": Right(OPERATORS),
    "packages.withdraw": Right(OPERATORS),
    # of the wallet that is to be credited
    "orders.place": Right(MANAGERS | {Relation.SELF}),
    "orders.of_wallet": Right(MANAGERS | {Relation.SELF}),
    "orders.list": Right(OPERATORS),
    "orders.get": Right(MANAGERS | BUYERS | {Relation.SELF}),
    "orders.confirm": Right(OPERATORS),
    "orders.cancel": Right(MANAGERS | BUYERS | {Relation.SELF}),
    "orders.refund": Right(OPERATORS),
    "payment_events.list": Right(OPERATORS),
    "paying_wallets.get": Right(RESPONSIBLE),
    "paying_wallets.set": Right(RESPONSIBLE),
    # of whom a budget counts: a member (his token's too), a group, or the whole service
    "budgets.list": Right(MANAGERS | {Relation.SELF}),
    # who holds a token may limit it further, not lift what others have set on it
    "budgets.create": Right(LIMITERS),
    "budgets.get": Right(MANAGERS | {Relation.SELF}),
    "budgets.change": Right(LIMITERS),
    "budgets.end": Right(LIMITERS),
    "config.get": Right(OPERATORS),
    "config.set": Right(OPERATORS),
    "config.change": Right(OPERATORS),
    "config.versions": Right(OPERATORS),
    "config.version": Right(OPERATORS),
    "config.revert": Right(OPERATORS),
    "safety.check": Right(OPERATORS),
    "live.get": Right(OPERATORS),
    "limits.get": Right(OPERATORS),
    "doctor.get": Right(OPERATORS),
    "backups.list": Right(OPERATORS),
    "backups.make": Right(OPERATORS),
    "backups.check": Right(OPERATORS),
    "audit.list": Right(OPERATORS),
}

SHOWN: Mapping[str, Mapping[str, Relations]] = {
    "member": {"operator": THEMSELVES},
    "group": {"models": MANAGERS, "wallet": MANAGERS},
    "order": {"refundable": OPERATORS, "events": OPERATORS},
}
"""Fields of answers that fewer see than see the rest."""


def may(relations: Relations, operation: str, fields: Iterable[str] = ()) -> bool:
    """Whether one of the relations allows an operation, with these fields of its body set."""
    right = RIGHTS[operation]
    return bool(relations & right.who) and not refused_fields(relations, operation, fields)


def refused_fields(relations: Relations, operation: str, fields: Iterable[str]) -> list[str]:
    """Those of the fields that none of the relations allows to be set."""
    narrower = RIGHTS[operation].fields
    return [name for name in fields if name in narrower and not relations & narrower[name]]
