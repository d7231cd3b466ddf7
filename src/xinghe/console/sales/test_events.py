"""An operator sees which payments were not credited, and what to do about them."""

from __future__ import annotations

import secrets

from tests.kit.payer import Payer, Told
from tests.kit.server import Server
from tests.kit.visitor import Visitor

SALES, EVENTS = "/console/sales", "/console/sales/events"
HOSTILE = "<script>alert(1)</script>"


def test_a_payment_of_no_order_is_shown(
    service: Server, operator: Visitor, member: Visitor
) -> None:
    reference = f"{HOSTILE}{secrets.token_hex(8)}"
    data = {"order": HOSTILE, "reference": reference, "amount": "1234.50", "currency": "CNY"}
    bridge = Payer("bridge")
    assert bridge.send(service.url, Told("payment.succeeded", data)).outcome == "unknown"
    assert "没有入账" in operator.get(SALES).text
    page = operator.get(EVENTS)
    row = next(each for each in page.texts("tbody tr") if reference in each)
    assert "没有这个订单" in row
    assert "按付款编号找到买家" in row
    assert "1,234.5 CNY" in row
    assert not page.all("main script")
    assert page.all("a[href='/payments/openapi.json']")
    assert member.get(EVENTS).status == 403
    assert operator.get("/docs").all("a[href='/payments/openapi.json']")
