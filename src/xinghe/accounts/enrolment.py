"""Many people at once: everybody of a roster becomes a member with an access token, or nobody does.

First a draft is made, and every fault of the roster told; then all of it is written in one
transaction. The tokens stand in the draft: whoever keeps them can do so before they are valid.
"""

import msgspec

from xinghe.accounts import budget_tables, group_tables, rules
from xinghe.accounts.budget_tables import NewBudget
from xinghe.accounts.group_tables import Pays
from xinghe.accounts.groups import join
from xinghe.accounts.members import create_member
from xinghe.accounts.rights import Role
from xinghe.accounts.roster import Entrant, Fault, Roster
from xinghe.accounts.rules import DEFAULT_SCOPES, AccountError
from xinghe.accounts.tables import NewToken
from xinghe.accounts.tokens import create_token, new_secret
from xinghe.core import INITIAL_GRANT
from xinghe.ledger import Window
from xinghe.storage import Connection, Database, now

IMPORTED = "import"
"""What their tokens are called: never as the people are."""


class RosterRefused(AccountError):
    """Nobody of a roster was made a member; `faults` says why, line by line."""

    def __init__(self, faults: list[Fault]) -> None:
        shown = "; ".join(f"line {fault.line}: {fault.message}" for fault in faults[:3])
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        super().__init__(f"nobody was imported: {shown}{more}")
        self.faults = faults


class Terms(msgspec.Struct, frozen=True):
    """What holds for everybody of a roster whose row says nothing else.

    Amounts in micro-Tokens: `amount` is what each own wallet begins with; without it, that is the
    initial grant where the own wallet pays alone, else nothing. `budget` is for a calendar month
    in the time `zone`. Times in microseconds UTC.
    """

    group: str | int | None = None
    role: Role = "member"
    pays: Pays = "group"
    amount: int | None = None
    budget: int | None = None
    zone: str = "UTC"
    models: list[str] | None = None
    expires_at: int | None = None


class Newcomer(msgspec.Struct, frozen=True):
    """Who is about to become a member, and the secret of his access token."""

    line: int
    name: str
    role: Role | None
    amount: int
    budget: int | None
    token: str


class Draft(msgspec.Struct, frozen=True):
    """All that is about to be written; `encoding` is what the roster was read in."""

    encoding: str
    terms: Terms
    people: list[Newcomer]


class Enrolment:
    """Every method raises `StorageError` if the database cannot be used, and `AccountError`.

    What changes something is audited under `actor`.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def draft(self, roster: Roster, terms: Terms) -> Draft:
        """What a roster would come to; nothing is written. Raises `RosterRefused`."""
        rules.check_models(terms.models)
        rules.check_zone(terms.zone)
        rules.check_expiry(terms.expires_at, now())
        for amount in (terms.amount, terms.budget):
            rules.check_amount(amount or 0, least=0)

        def operation(connection: Connection) -> list[Fault]:
            if terms.group is not None:
                group_tables.group(connection, terms.group)
            return _faults(connection, roster, terms)

        faults = sorted(roster.faults + await self._database.read(operation), key=_line)
        if faults:
            raise RosterRefused(faults)
        return Draft(roster.encoding, terms, [_newcomer(each, terms) for each in roster.entrants])

    async def admit(self, draft: Draft) -> None:
        """Make everybody of a draft a member, or nobody."""

        def operation(connection: Connection) -> None:
            terms = draft.terms
            made = [create_member(connection, self._actor, p.name, p.amount) for p in draft.people]
            for member, person in zip(made, draft.people, strict=True):
                new = NewToken(IMPORTED, [*DEFAULT_SCOPES], terms.models, terms.expires_at)
                create_token(connection, self._actor, member.id, person.token, new)
                if person.budget is not None:
                    window = Window("month", zone=terms.zone)
                    monthly = NewBudget("tokens", person.budget, window, member_id=member.id)
                    budget_tables.create(connection, self._actor, monthly)
            if terms.group is None:
                return
            # Who was made just now nobody else knows; the group's wallet is locked for the rest.
            group = group_tables.locked_group(connection, terms.group)
            for member, person in zip(made, draft.people, strict=True):
                role = person.role or terms.role
                join(connection, self._actor, group, member, role, terms.pays)

        await self._database.write(operation)


def _faults(connection: Connection, roster: Roster, terms: Terms) -> list[Fault]:
    faults = []
    for entrant in roster.entrants:
        if connection.row("SELECT 1 FROM members WHERE name = $1", entrant.name):
            message = f"name: there is a member {entrant.name!r} already"
            faults.append(Fault(entrant.line, message))
        if entrant.role is not None and terms.group is None:
            faults.append(Fault(entrant.line, "role: only in a group has anybody a role"))
    return faults


def _newcomer(entrant: Entrant, terms: Terms) -> Newcomer:
    own = terms.group is None or terms.pays == "own"
    amount = terms.amount if terms.amount is not None else INITIAL_GRANT if own else 0
    return Newcomer(
        entrant.line,
        entrant.name,
        entrant.role,
        amount if entrant.tokens is None else entrant.tokens,
        terms.budget if entrant.budget is None else entrant.budget,
        new_secret(),
    )


def _line(fault: Fault) -> int:
    return fault.line
