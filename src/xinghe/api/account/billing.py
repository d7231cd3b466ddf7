"""What chat clients ask for a balance by: OpenAI's former `/dashboard/billing`, told in Tokens.

They show `hard_limit_usd` less a hundredth of `total_usage` as what is left. Without dates, that
is true here to the last Token; with dates, `total_usage` is what was spent in that time.
"""

from __future__ import annotations

import msgspec

from xinghe.accounts import Principal, wallets
from xinghe.api.account.forms import send_json
from xinghe.api.account.questions import BillingQuery
from xinghe.api.account.schema import BillingUsage, Subscription
from xinghe.api.errors import refuse
from xinghe.api.exchange import Exchange
from xinghe.api.models import NO_MODEL
from xinghe.api.priced import Services, admit
from xinghe.api.query import Query, moment, zone_of
from xinghe.core import MICRO, tokens
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection, Database
from xinghe.usage.pages import EVER
from xinghe.usage.scope import Scope
from xinghe.usage.series import SeriesParams, Summing

CENTS = 100
QUERY = Query(BillingQuery, lenient=True)


class BillingRoute(msgspec.Struct):
    services: Services
    database: Database

    async def subscription(self, exchange: Exchange) -> None:
        await self._admit(exchange)
        principal = exchange.principal
        spent = await self._spent(principal, 0, EVER)

        def read(connection: Connection) -> Subscription:
            left = sum(
                each.available + each.held
                for each in wallets.wallets(connection, principal.wallets)
            )
            limit = tokens(left + spent)
            expires_at = connection.value(
                "SELECT expires_at FROM tokens WHERE id = $1", principal.token_id
            )
            return Subscription(
                object="billing_subscription",
                has_payment_method=True,
                soft_limit_usd=limit,
                hard_limit_usd=limit,
                system_hard_limit_usd=limit,
                access_until=0 if expires_at is None else expires_at // MICRO,
                unit="Token",
            )

        await send_json(exchange, await self.database.read(read))

    async def usage(self, exchange: Exchange) -> None:
        await self._admit(exchange)
        query, zone = QUERY.read(exchange.scope["query_string"]), zone_of("UTC")
        since, until = 0, EVER
        if query.start_date is not None:
            since = moment("start_date", query.start_date, zone)
        if query.end_date is not None:
            until = moment("end_date", query.end_date, zone, end=True)
        if until <= since:
            raise refuse("end_date", query.end_date, "a day that is not before start_date")
        since, until = since // HOUR * HOUR, -(-until // HOUR) * HOUR
        spent = await self._spent(exchange.principal, since, until)
        answer = BillingUsage("list", tokens(spent * CENTS), "0.01 Token")
        await send_json(exchange, answer)

    async def _admit(self, exchange: Exchange) -> None:
        limits = self.services.live.now.catalog.limits
        await admit(self.services, exchange, NO_MODEL, rpm=limits.rpm, tpm=limits.tpm, tokens=0)

    async def _spent(self, principal: Principal, since: int, until: int) -> int:
        """What a member has spent in some hours, whoever paid; micro-Tokens."""
        asked = SeriesParams(since=since, until=until, interval="hour")
        summing = Summing(Scope(member=principal.member_id), asked, whole=True)
        while not await self.database.read(summing.step):
            pass
        return summing.total()[0].spend
