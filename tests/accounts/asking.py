"""What tests ask of members: which wallets pay for one, and who a token is."""

from __future__ import annotations

from xinghe.accounts import Principal, Principals
from xinghe.accounts.groups import Groups


async def paying(groups: Groups, member: str) -> list[str]:
    return [source.group or "own" for source in await groups.payment(member)]


async def principal(principals: Principals, secret: str) -> Principal:
    found = await principals.authenticate(secret)
    assert found is not None
    return found
