"""When a notice of a low balance is due."""

from __future__ import annotations

import asyncio
import re
from functools import partial

import pytest

from tests.accounts.payer import spend, waiting
from xinghe.accounts import AccountError, Alert, Alerts, Members, Tokens
from xinghe.accounts.outbox import pending
from xinghe.catalog.rate import Rate
from xinghe.ledger import Ledger, holds
from xinghe.storage import Database, now


@pytest.fixture
async def alerts(database: Database, members: Members) -> Alerts:
    """The account `a` has 1,000 micro-Tokens and is watched at 600."""
    await members.create("a", amount=1000)
    alerts = Alerts(database, actor="tester")
    await alerts.put("a", 600)
    return alerts


async def test_once_when_it_falls_below(alerts: Alerts, database: Database) -> None:
    await spend(database, "a", 400)
    assert await database.read(waiting) == 0  # exactly the threshold
    await spend(database, "a", 1)
    (notice,) = await database.read(partial(pending, after=0, limit=100))
    assert (notice.account, notice.available, notice.threshold) == ("a", 599, 600)
    assert abs(notice.at - now()) < 5_000_000
    await spend(database, "a", 100)
    assert await database.read(waiting) == 1


async def test_it_is_armed_again_at_the_threshold(
    alerts: Alerts, members: Members, database: Database
) -> None:
    await spend(database, "a", 500)
    await members.grant("a", 99)
    await spend(database, "a", 1)
    assert await database.read(waiting) == 1
    await members.grant("a", 2)
    await spend(database, "a", 1)
    assert await database.read(waiting) == 2


async def test_what_is_only_held_alarms_nobody(alerts: Alerts, database: Database) -> None:
    await spend(database, "a", 10, held=900)
    assert await database.read(waiting) == 0
    await spend(database, "a", 0, held=990)
    assert await database.read(waiting) == 0


async def test_other_running_requests_alarm_nobody(alerts: Alerts, database: Database) -> None:
    await Tokens(database).create("a")
    hold = holds.Hold("h", 1, 1, (1,), (), "as-0", "m", 500, "o", True, 5, Rate(1, 1, 1), now())
    await database.write(partial(holds.reserve, hold=hold))
    await spend(database, "a", 10)
    assert await database.read(waiting) == 0
    await database.write(partial(holds.release, hold_id="h", at=now()))
    await spend(database, "a", 391)
    assert await database.read(waiting) == 1


async def test_an_expiry_counts(alerts: Alerts, members: Members, database: Database) -> None:
    await spend(database, "a", 500)
    await members.grant("a", 500, expires_at=now() + 300_000)
    await asyncio.sleep(0.35)
    assert await Ledger(database).sweep() == 500
    assert [
        notice.available for notice in await database.read(partial(pending, after=0, limit=100))
    ] == [500, 500]


async def test_an_account_that_nobody_watches(alerts: Alerts, database: Database) -> None:
    await Members(database).create("b", amount=1000)
    await spend(database, "b", 1000)
    await alerts.remove("a")
    await spend(database, "a", 1000)
    assert await database.read(waiting) == 0


async def test_to_remove_it_takes_what_is_still_to_be_sent(
    alerts: Alerts, database: Database
) -> None:
    await spend(database, "a", 500)
    await alerts.remove("a")
    assert await database.read(waiting) == 0
    assert await alerts.get("a") is None
    await alerts.remove("a")


async def test_to_change_it_keeps_what_is_still_to_be_sent(
    alerts: Alerts, database: Database
) -> None:
    await spend(database, "a", 500)
    await alerts.put("a", 700, "https://example.org/")
    (notice,) = await database.read(partial(pending, after=0, limit=100))
    assert (notice.threshold, notice.url) == (600, "https://example.org/")


async def test_the_secret_stays_while_the_url_does(alerts: Alerts) -> None:
    first = await alerts.put("a", 600, "http://one.example/")
    assert first.secret is not None
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", first.secret)
    assert (await alerts.put("a", 700, "http://one.example/")).secret == first.secret
    other = await alerts.put("a", 700, "http://two.example/")
    assert other.secret not in {None, first.secret}
    assert await alerts.get("a") == other
    assert await alerts.put("a", 700) == Alert(700)


async def test_to_set_it_again_replaces_a_secret_of_before(
    alerts: Alerts, database: Database
) -> None:
    await alerts.put("a", 600, "http://one.example/")
    await database.write(lambda c: c.run("UPDATE alerts SET secret = 'an-old_secret'"))
    found = await alerts.put("a", 600, "http://one.example/")
    assert found.secret is not None
    assert found.secret.startswith("whsec_")
    assert await alerts.get("a") == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://a b",
        "http://a\n",
        "http://例子.cn/",
        "http://a:99999/",
        "http://a:0/",
        "http://[::1/",
        "http://a/" + "x" * 2000,
    ],
)
async def test_urls_that_are_refused(alerts: Alerts, url: str) -> None:
    before = await alerts.get("a")
    with pytest.raises(AccountError, match=r"^webhook: .* an http or https URL"):
        await alerts.put("a", 600, url)
    assert await alerts.get("a") == before


async def test_what_cannot_be_done(alerts: Alerts) -> None:
    with pytest.raises(AccountError, match=r"^threshold: 0 Tokens is not allowed"):
        await alerts.put("a", 0)
    for act in (alerts.get("b"), alerts.put("b", 1), alerts.remove("b")):
        with pytest.raises(AccountError, match="no member 'b'"):
            await act


async def test_acts_are_recorded(alerts: Alerts, database: Database) -> None:
    secret = (await alerts.put("a", 5, "http://a.example/")).secret
    await alerts.remove("a")
    query = "SELECT actor, detail FROM audit WHERE action = 'wallet.alert' ORDER BY id"
    found = await database.read(lambda c: c.rows(query))
    assert found == [
        ("tester", "600 micro-Tokens, webhook=None"),
        ("tester", "5 micro-Tokens, webhook=http://a.example/"),
        ("tester", "none"),
    ]
    assert secret is not None
    assert secret not in str(found)
