"""Groups: a class, a team, a company. One may belong to another, an organisation; no further."""

from collections.abc import Callable, Iterable, Sequence

from xinghe.accounts import group_tables, rules, tables, wallets
from xinghe.accounts.audit import alone, record, record_change
from xinghe.accounts.group_tables import Group, Membership, Pays, Source
from xinghe.accounts.rights import Role
from xinghe.accounts.rules import AccountError
from xinghe.accounts.tables import Member
from xinghe.core import INITIAL_GRANT
from xinghe.storage import Connection, Database, in_batches, now

PAGE = 100
OWN = "own"
"""What a member's own wallet is called where the others are called as their groups."""


class Groups:
    """Every method raises `StorageError` if the database cannot be used, and `AccountError`.

    What changes something is audited under `actor`. A group is named by its name or its id, a
    member by his name or his appid. Amounts are micro-Tokens, times microseconds UTC.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def create(
        self,
        name: str,
        *,
        parent: str | int | None = None,
        amount: int = INITIAL_GRANT,
        models: Iterable[str] | None = None,
    ) -> Group:
        """A new group with a wallet of its own, in an organisation if `parent` says one."""
        check_group_name(name)
        rules.check_amount(amount, least=0)
        allowed = rules.check_models(models)

        def operation(connection: Connection) -> Group:
            above = None if parent is None else group_tables.locked_group(connection, parent)
            if above is not None and above.parent_id is not None:
                raise AccountError(
                    f"parent: {above.name!r} belongs to {above.parent!r}: there is one level only"
                )
            parent_id = None if above is None else above.id
            made = group_tables.insert_group(connection, name, parent_id, allowed)
            if amount:
                wallets.credit(connection, made.wallet_id, amount, note="initial grant")
            after = {"name": name, "parent": made.parent, "models": allowed, "amount": amount}
            record(connection, self._actor, "group.create", made.subject, after=after)
            return group_tables.group(connection, made.id)

        return await self._database.write(operation)

    async def get(self, group: str | int) -> Group:
        return await self._database.read(lambda c: group_tables.group(c, group))

    async def page(
        self, *, parent: str | int | None = None, after: int = 0, limit: int = PAGE
    ) -> list[Group]:
        """The groups behind the id `after`, the oldest first; those of one organisation or all."""

        def operation(connection: Connection) -> list[Group]:
            above = None if parent is None else group_tables.group(connection, parent).id
            return group_tables.groups(connection, above, after, limit)

        return await self._database.read(operation)

    async def of_member(self, member: str) -> list[Membership]:
        """The groups that a member is in, with his role in each."""
        return await self._database.read(
            lambda c: group_tables.of_member(c, tables.member(c, member).id)
        )

    async def members(
        self, group: str | int, *, after: int = 0, limit: int = PAGE
    ) -> list[Membership]:
        """The members of a group behind the id `after`, in the order of their ids."""
        return await self._database.read(
            lambda c: group_tables.members(c, group_tables.group(c, group).id, after, limit)
        )

    async def rename(self, group: str | int, name: str) -> Group:
        check_group_name(name)

        def change(connection: Connection, found: Group) -> None:
            if name != found.name:
                alone(connection)
                group_tables.check_free(connection, name)
            connection.run("UPDATE groups SET name = $1 WHERE id = $2", name, found.id)

        return await self._change(group, "rename", "name", change)

    async def set_models(self, group: str | int, models: Iterable[str] | None) -> Group:
        """Which models the members of a group may use; None: every model."""
        allowed = rules.check_models(models)

        def change(connection: Connection, found: Group) -> None:
            stored = group_tables.stored(allowed)
            connection.run("UPDATE groups SET models = $1 WHERE id = $2", stored, found.id)

        return await self._change(group, "models", "models", change)

    async def grant(
        self,
        group: str | int,
        amount: int,
        *,
        expires_at: int | None = None,
        models: Iterable[str] | None = None,
        note: str = "",
    ) -> Group:
        """Give a group's wallet a lot."""

        def operation(connection: Connection) -> Group:
            to = group_tables.group(connection, group).wallet_id
            wallets.grant(
                connection, self._actor, to, amount, expires_at=expires_at, models=models, note=note
            )
            return group_tables.group(connection, group)

        return await self._database.write(operation)

    async def add(
        self, group: str | int, member: str, *, role: Role = "member", pays: Pays = "group"
    ) -> Membership:
        """Put a member into a group, whose wallet pays for him from now on as `pays` says."""

        def operation(connection: Connection) -> Membership:
            found, who = group_tables.locked_both(connection, group, member)
            return join(connection, self._actor, found, who, role, pays)

        return await self._database.write(operation)

    async def remove(self, group: str | int, member: str) -> None:
        """Take a member out of a group and of those that belong to it. What he did stays."""

        def operation(connection: Connection) -> None:
            found, who = group_tables.locked_both(connection, group, member)
            before = group_tables.membership(connection, found, who)
            inner = group_tables.of_member(connection, who.id)
            for place in (before, *(each for each in inner if each.parent_id == found.id)):
                self._keep_an_owner(connection, place)
            group_tables.leave(connection, found.id, who.id)
            gone = {"member": who.appid, "role": before.role}
            record(connection, self._actor, "group.remove", found.subject, before=gone)

        await self._database.write(operation)

    async def set_role(self, group: str | int, member: str, role: Role) -> Membership:
        """Give a member of a group another role in it."""

        def operation(connection: Connection) -> Membership:
            found, who = group_tables.locked_both(connection, group, member)
            before = group_tables.membership(connection, found, who)
            if role != "owner":
                self._keep_an_owner(connection, before)
            group_tables.set_role(connection, found.id, who.id, role)
            changed = [{"member": who.appid, "role": each} for each in (before.role, role)]
            record(
                connection,
                self._actor,
                "group.role",
                found.subject,
                before=changed[0],
                after=changed[1],
            )
            return group_tables.membership(connection, found, who)

        return await self._database.write(operation)

    async def payment(self, member: str) -> list[Source]:
        """Which wallets pay for a member, in order: the first that covers a request."""
        return await self._database.read(
            lambda c: group_tables.sources(c, tables.member(c, member).id)
        )

    async def set_payment(self, member: str, order: Sequence[str]) -> list[Source]:
        """Set which wallets pay for a member: `OWN`, and names of groups that he is in, or of
        their organisations; at least one, each once.
        """
        if not order or len(set(order)) < len(order):
            raise AccountError("order: name at least one wallet, and each once")

        def operation(connection: Connection) -> list[Source]:
            who = tables.locked_member(connection, member)
            before = group_tables.sources(connection, who.id)
            paying = [
                who.id if name == OWN else group_tables.usable_wallet(connection, who, name)
                for name in order
            ]
            group_tables.pay_by(connection, who.id, paying)
            after = group_tables.sources(connection, who.id)
            told = [{"pays": [each.group or OWN for each in some]} for some in (before, after)]
            record(connection, self._actor, "member.pays", who.appid, before=told[0], after=told[1])
            return after

        return await self._database.write(operation)

    async def delete(self, group: str | int) -> None:
        """Delete a group: nobody is in it any more, its wallet pays nobody, nothing limits by it.

        What was used stays in the books, and so do the Tokens that its wallet holds.
        """

        def operation(connection: Connection) -> Group:
            found, at = group_tables.locked_group(connection, group), now()
            inner = connection.value(
                "SELECT name FROM groups WHERE parent_id = $1 AND deleted_at IS NULL", found.id
            )
            if inner is not None:
                raise AccountError(
                    f"the group {inner!r} belongs to {found.name!r}: delete it first"
                )
            connection.run("UPDATE groups SET deleted_at = $1 WHERE id = $2", at, found.id)
            connection.run(
                "UPDATE invitations SET revoked_at = $1 WHERE group_id = $2 AND revoked_at IS NULL",
                at,
                found.id,
            )
            connection.run(
                "UPDATE budgets SET ended_at = $1 WHERE group_id = $2 AND ended_at IS NULL",
                at,
                found.id,
            )
            before = {"name": found.name, "parent": found.parent, "models": found.models}
            record(connection, self._actor, "group.delete", found.subject, before=before)
            return found

        gone = await self._database.write(operation)
        # Nobody reads these rows any more; there may be very many.
        await in_batches(self._database, group_tables.clear, gone)

    async def _change(
        self,
        group: str | int,
        action: str,
        field: str,
        change: Callable[[Connection, Group], None],
    ) -> Group:
        def operation(connection: Connection) -> Group:
            before = group_tables.locked_group(connection, group)
            change(connection, before)
            after = group_tables.group(connection, before.id)
            subject = before.subject
            record_change(connection, self._actor, f"group.{action}", subject, field, before, after)
            return after

        return await self._database.write(operation)

    def _keep_an_owner(self, connection: Connection, place: Membership) -> None:
        if place.role == "owner" and group_tables.leaves_no_owner(
            connection, place.group_id, place.member_id
        ):
            raise AccountError(
                f"{place.member!r} is the only owner of {place.group!r}: name another"
            )


def join(
    connection: Connection, actor: str, group: Group, member: Member, role: Role, pays: Pays
) -> Membership:
    """Put a member into a group. Raises `AccountError` if he is in it."""
    group_tables.join(connection, group, member, role, pays)
    after = {"member": member.appid, "role": role, "pays": pays}
    record(connection, actor, "group.add", group.subject, after=after)
    return group_tables.membership(connection, group, member)


def move(connection: Connection, actor: str, group: int, to: int, member: str) -> Membership:
    """Move a plain member into another group, whose wallet pays where that of the first did.

    Raises `AccountError`.
    """
    wallets = [group_tables.group(connection, each).wallet_id for each in (group, to)]
    connection.lock([*wallets, tables.member(connection, member).id])
    source, target = (group_tables.group(connection, each) for each in (group, to))
    who = tables.member(connection, member)
    before = group_tables.membership(connection, source, who)
    if before.role != "member":
        raise AccountError(f"{who.name!r} is {before.role} of {source.name!r}: no plain member")
    paid = [each.wallet_id for each in group_tables.sources(connection, who.id)]
    group_tables.leave(connection, source.id, who.id)
    gone = {"member": who.appid, "role": before.role}
    record(connection, actor, "group.remove", source.subject, before=gone)
    join(connection, actor, target, who, "member", "group")
    order = [target.wallet_id if each == source.wallet_id else each for each in paid]
    usable = {*group_tables.payable(connection, who.id), who.id}
    group_tables.pay_by(connection, who.id, [each for each in order if each in usable])
    return group_tables.membership(connection, target, who)


def check_group_name(value: str) -> str:
    """As of a member, but no number, which is an id, nor `OWN`. Raises `AccountError`."""
    if rules.check_name(value) == OWN or value.isdecimal():
        raise AccountError(f"name: {value!r} is not allowed: neither {OWN!r} nor a number")
    return value
