"""`GET /account/bill` under each mount."""

from __future__ import annotations

from contextlib import closing

import msgspec

from xinghe.api.account.admitted import admitted
from xinghe.api.account.bill.making import Bills, asked
from xinghe.api.account.bill.schema import BillRow
from xinghe.api.account.export_throttle import ExportThrottle
from xinghe.api.account.forms import send_json, send_rows
from xinghe.api.account.questions import BillQuery
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services, unless_gone
from xinghe.api.query import Query
from xinghe.storage import now

QUERY = Query(BillQuery)


class BillRoute(msgspec.Struct):
    services: Services
    bills: Bills
    turns: ExportThrottle

    async def bill(self, exchange: Exchange) -> None:
        query, form = await admitted(self.services, exchange, QUERY)
        at = now()
        month = asked(query, at)
        subject = await self.bills.subject(exchange.principal, query)
        with closing(await unless_gone(exchange, self.bills.read(subject, month, at))) as ready:
            if form == "json":
                await send_json(exchange, await self.bills.whole(ready, query.limit))
                return
            rows = self.bills.rows(ready)
            sending = send_rows(exchange, form, BillRow, rows, f"bill-{month.name}", self.turns)
            await unless_gone(exchange, sending)
