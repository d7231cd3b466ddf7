"""Tokens that move from one wallet into another: within a group, or as an operator wants it.

Amounts are micro-Tokens. Every function is part of the caller's transaction.
"""

from xinghe.accounts import group_tables, rules, wallets
from xinghe.accounts.audit import record
from xinghe.accounts.rules import AccountError
from xinghe.accounts.wallets import Wallet
from xinghe.core import MICRO, tokens
from xinghe.ledger import withdrawals
from xinghe.storage import Connection, now


def reaches(connection: Connection, source: Wallet, target: Wallet) -> bool:
    """Whether who has a wallet at his disposal may move Tokens of it into another.

    From a member's own: into those of the groups that he is in, and of who is in one of them. From
    a group's: into those of its members, and of the groups of its organisation.
    """
    if target.closed:
        return False
    if source.group_id is not None and target.group_id is not None:
        return _organisation(connection, source.group_id) == _organisation(
            connection, target.group_id
        )
    return not _groups(connection, source).isdisjoint(_groups(connection, target))


def transfer(
    connection: Connection, actor: str, source_id: int, target_id: int, amount: int, reason: str
) -> tuple[Wallet, Wallet]:
    """Move Tokens that are for all models, audited under `actor`; returns both wallets after it.

    Each lot keeps its expiry. Whether somebody may is the caller's to look up (`reaches`). Raises
    `AccountError`, also if the balance of the other would pass `MAX_BALANCE`, and `ManyExpired`.
    """
    if source_id == target_id:
        raise AccountError(f"to: {target_id} is the wallet itself: name another")
    rules.check_amount(amount, least=MICRO)  # else many small lots could be foisted on somebody
    rules.check_note(reason)
    connection.lock([source_id, target_id])
    target = wallets.with_room(connection, target_id, amount)
    if target.closed:
        raise AccountError(f"to: nobody can spend what the wallet {target_id} holds any more")
    because = f": {reason}" if reason else ""
    notes = f"to wallet {target_id}{because}", f"from wallet {source_id}{because}"
    try:
        withdrawals.transfer(connection, source_id, target_id, amount, at=now(), notes=notes)
    except withdrawals.Shortage as shortage:
        why = (
            f"at once, as they lie in more than {withdrawals.LOTS} lots"
            if shortage.scattered
            else "what requests hold and what is bound to models stays"
        )
        raise AccountError(
            f"amount: {tokens(amount):f} Tokens are more than can be moved: "
            f"{tokens(shortage.available):f}; {why}"
        ) from None
    both = wallets.wallet(connection, source_id), wallets.wallet(connection, target_id)
    moved = {"from": source_id, "to": target_id, "amount": amount, "note": reason}
    for each in both:
        record(connection, actor, "wallet.transfer", each.subject, after=moved)
    return both


def _groups(connection: Connection, wallet: Wallet) -> set[int]:
    """The group whose wallet it is, or those that the member is in."""
    if wallet.group_id is not None:
        return {wallet.group_id}
    assert wallet.member_id is not None
    return {each.group_id for each in group_tables.of_member(connection, wallet.member_id)}


def _organisation(connection: Connection, group_id: int) -> int:
    """The one that a group belongs to, or is."""
    return group_tables.group(connection, group_id).parent_id or group_id
