"""A past for an empty service: what its members have asked for, day by day, through the books."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence

import msgspec

from xinghe.accounts import Members, Tokens
from xinghe.catalog.rate import Rate
from xinghe.core import MICRO
from xinghe.ledger import holds
from xinghe.ledger.holds import Counts
from xinghe.ledger.rollups import Told
from xinghe.ledger.windows import DAY
from xinghe.storage import Connection, Database, now
from xinghe.usage.failures import Failed, Failures

MODELS = {"ernie-4.0-8k": 0.3, "ernie-3.5-8k": 1.0, "deepseek-r1": 0.15, "bge-large-zh": 0.4}
"""How often each is asked, against the second."""
ERRORS = (
    ("token_quota_exceeded", 403),
    ("rpm_rate_limit_exceeded", 429),
    ("dispatch_internal_error", 500),
)


class Past(msgspec.Struct, frozen=True):
    """What one member did: with which tokens, over how many days, how often on a busy one."""

    member: str
    tokens: Sequence[str]
    days: int = 40
    requests: int = 30
    failures: int = 6


async def live(database: Database, past: Past, seed: int = 1) -> None:
    """Write it, the oldest day first; today is under way."""
    chance = random.Random(seed)
    member = await Members(database).get(past.member)
    named = {each.name: each.id for each in await Tokens(database).list(past.member)}
    ids = [named[name] for name in past.tokens]
    until = now()
    moments = []
    for day in range(past.days, -1, -1):
        busy = past.requests * chance.uniform(0.25, 1.0) * (1.25 - day / past.days / 2)
        weekend = (until // DAY - day) % 7 in (2, 3)
        for _ in range(int(busy / 3 if weekend else busy)):
            moments.append(until - day * DAY - int(chance.triangular(0, DAY, DAY / 3)))

    def ask(connection: Connection) -> None:
        for at in sorted(moments):
            _ask(connection, member.id, chance.choice(ids), at, chance)

    await database.write(ask)  # all at once: each write waits for the disk
    failures = Failures(database)
    for _ in range(past.failures):
        code, status = chance.choice(ERRORS)
        at = until - int(chance.uniform(0, 3 * DAY))
        token, model = chance.choice(ids), chance.choice(list(MODELS))
        place = (member.id, member.id, token, _request_id(chance), at)
        failures.note(Failed(*place, "chat", model, status, code, chance.randint(3, 40)))
    await failures.flush()


def _ask(
    connection: Connection, member_id: int, token_id: int, at: int, chance: random.Random
) -> None:
    model = chance.choices(list(MODELS), list(MODELS.values()))[0]
    prompt = int(chance.lognormvariate(6, 0.9))
    cached = prompt // 2 if chance.random() < 0.3 else 0
    completion = 0 if model.startswith("bge") else int(chance.lognormvariate(5, 0.8))
    rate = Rate(input=MICRO // 10, output=MICRO // 5, cached_input=MICRO // 40)
    hold = holds.Hold(
        id=secrets.token_hex(15),
        member_id=member_id,
        token_id=token_id,
        wallets=(member_id,),
        budgets=(),
        request_id=_request_id(chance),
        model=model,
        amount=rate.cost(prompt, completion, cached),
        owner="history",
        stream=True,
        prompt_tokens=prompt,
        rate=rate,
        created_at=at,
    )
    reserved = holds.reserve(connection, hold=hold)
    assert isinstance(reserved, holds.Reserved), reserved
    first = int(chance.lognormvariate(5.6, 0.4))
    told = Told(
        finish="length" if chance.random() < 0.05 else "normal",
        wait_ms=chance.randint(0, 8),
        first_ms=first,
        total_ms=first + completion * chance.randint(14, 30),
    )
    usage = Counts(prompt, completion, cached)
    holds.capture(connection, hold_id=hold.id, usage=usage, at=at, told=told)


def _request_id(chance: random.Random) -> str:
    return "as-" + "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=10))
