"""Somebody buys a package, redeems a code and finds the receipt; an operator sells."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest
from tests.kit.models import CHAT
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

SHOP, SALES = "/console/shop", "/console/sales"
PACKAGES, CODES = f"{SALES}/packages", f"{SALES}/codes"
HOSTILE = '<img src=x onerror="alert(1)">\'&'


def unique() -> str:
    return f"包 {secrets.token_hex(4)}"


def offer(operator: Visitor, **fields: Any) -> str:
    """The name of a new package."""
    given = {"name": unique(), "tokens": "1,000,000", "price": "9.90"} | fields
    shown = operator.submit(operator.get(f"{PACKAGES}/new"), f"{PACKAGES}/new", **given)
    assert shown.path == PACKAGES, shown.text
    return str(given["name"])


def buy(visitor: Visitor, name: str) -> Shown:
    """The page of a new order."""
    page = visitor.get(SHOP)
    card = next(each for each in page.all("article.offer") if name in each.text_content())
    return visitor.post(SHOP, {e.get("name"): e.get("value") for e in card.cssselect("input")})


def balance(visitor: Visitor) -> float:
    figure = visitor.get("/console/").texts("main .figure")[0]
    return float(figure.replace(",", ""))


def confirm(operator: Visitor, order: Shown, reference: str) -> Shown:
    action = f"{SALES}/orders/{order.path.rsplit('/', 1)[1]}/confirm"
    return operator.submit(operator.get(order.path), action, reference=reference)


def test_a_package_is_bought_confirmed_and_refunded(operator: Visitor, member: Visitor) -> None:
    name = offer(operator, valid_days="30", which="some", models=CHAT, description="期末")
    before = balance(member)
    order = buy(member, name)
    assert re.fullmatch(f"{SHOP}/orders/[0-9A-Z]{{16}}", order.path)
    assert "9.90 CNY" in order.text
    assert "等待付款" in order.text
    assert "确认收款后" in order.text
    assert name in operator.get(SALES).text
    assert "已付款" in confirm(operator, order, secrets.token_hex(8)).text
    receipt = member.get(order.path)
    assert "收据" in receipt.text
    assert "30 天" in receipt.text
    assert CHAT in receipt.text
    assert not receipt.all("form[action*=confirm]")
    assert not receipt.all("form[action*=refund]")
    assert balance(member) == before + 1_000_000
    overview = member.get("/console/")
    assert overview.all(f"a[href='{order.path}']")
    assert f"只付 {CHAT}" in overview.text
    action = f"{SALES}/orders/{order.path.rsplit('/', 1)[1]}/refund"
    back = operator.submit(
        operator.get(order.path), action, tokens="250,000", reason=HOSTILE, reference="r"
    )
    assert "部分退款" in back.text
    assert "2.47 CNY" in back.text
    assert HOSTILE in back.text
    assert balance(member) == before + 750_000
    totals = member.get("/console/usage/entries").texts(".sums div")
    assert "购买（Token）1,000,000" in totals
    assert "退款（Token）250,000" in totals
    assert not [each for each in totals if "转入" in each]
    assert "部分退款" in member.get(SHOP).text


def test_an_order_pressed_twice_is_one(operator: Visitor, member: Visitor) -> None:
    name = offer(operator)
    page = member.get(SHOP)
    card = next(each for each in page.all("article.offer") if name in each.text_content())
    fields = {each.get("name"): each.get("value") for each in card.cssselect("input")}
    assert member.post(SHOP, fields).path == member.post(SHOP, fields).path
    assert len([each for each in member.get(SHOP).texts("tbody tr") if name in each]) == 1


def test_an_order_is_cancelled_and_paid_all_the_same(operator: Visitor, member: Visitor) -> None:
    order = buy(member, offer(operator))
    assert "已取消" in member.submit(order, f"{order.path}/cancel").text
    assert "已付款" in confirm(operator, order, secrets.token_hex(8)).text


def test_one_payment_pays_for_one_order(operator: Visitor, member: Visitor) -> None:
    name, reference = offer(operator), secrets.token_hex(8)
    confirm(operator, buy(member, name), reference)
    refused = confirm(operator, buy(member, name), reference)
    assert refused.status >= 400
    assert reference in refused.text


def test_what_is_withdrawn_is_not_offered(operator: Visitor, member: Visitor) -> None:
    name = offer(operator)
    assert name in member.get(SHOP).text
    page = operator.get(PACKAGES)
    row = next(each for each in page.all("tbody tr") if name in each.text_content())
    action = row.cssselect("form")[0].get("action")
    operator.submit(page, action)
    assert name not in member.get(SHOP).text
    assert "已下架" in operator.get(PACKAGES).text


def test_a_package_is_changed_unless_somebody_has_meanwhile(operator: Visitor) -> None:
    name = offer(operator, description="旧")
    link = next(
        each for each in operator.get(PACKAGES).all("tbody a") if name in each.text_content()
    )
    path = link.get("href")
    page = operator.get(path)
    assert page.all("input[name=price]")[0].get("value") == "9.90"
    operator.submit(page, path, price="12", description=HOSTILE)
    assert "12.00" in operator.get(path).all("input[name=price]")[0].get("value")
    late = operator.submit(page, path, price="1")
    assert late.status >= 400
    assert "别人改过了" in late.text


@pytest.mark.parametrize(
    ("field", "value"),
    [("price", "9.999"), ("price", "dear"), ("tokens", "0"), ("name", " "), ("valid_days", "-1")],
)
def test_a_package_that_is_none_keeps_what_was_typed(
    operator: Visitor, field: str, value: str
) -> None:
    fields = {"name": unique(), "tokens": "5", "price": "1", "description": "记住", field: value}
    shown = operator.submit(operator.get(f"{PACKAGES}/new"), f"{PACKAGES}/new", **fields)
    assert shown.status == 400
    assert shown.all("[role=alert]")
    assert shown.all("input[name=description]")[0].get("value") == "记住"


def test_a_code_is_redeemed_once(operator: Visitor, member: Visitor) -> None:
    new = f"{CODES}/new"
    made = operator.submit(
        operator.get(new), new, name=unique(), tokens="500", count="2", day="2099-12-31"
    )
    assert made.reply.headers["cache-control"] == "no-store"
    first, _ = made.all("#codes")[0].text_content().split()
    before = balance(member)
    done = member.submit(member.get(SHOP), f"{SHOP}/redeem", code=first.lower().replace("-", " "))
    assert "兑换成功：500 Token" in done.text
    assert balance(member) == before + 500
    again = member.submit(member.get(SHOP), f"{SHOP}/redeem", code=first)
    assert again.status >= 400
    assert again.all("[role=alert]")
    assert again.all("input[name=code]")[0].get("value") == first
    batch = operator.get(made.all(f"a[href^='{CODES}/']")[0].get("href"))
    assert "1 / 2" in batch.text
    assert first not in batch.text
    action = batch.all("form[action$=revoke]")[0].get("action")
    assert "已作废" in operator.submit(batch, action).text


def test_a_manager_buys_for_his_group(service: Server, operator: Visitor, member: Visitor) -> None:
    group = f"g{secrets.token_hex(4)}"
    service.run("group", "create", group)
    me = member.get("/console/").all(".who")[0].get("title")
    service.run("group", "add", group, me, "--role", "manager")
    page = member.get(SHOP)
    choice = next(each for each in page.all("#whose option") if group in each.text_content())
    name = offer(operator)
    card = next(e for e in member.get(SHOP).all("article.offer") if name in e.text_content())
    fields = {each.get("name"): each.get("value") for each in card.cssselect("input")}
    order = member.post(SHOP, fields | {"wallet": choice.get("value")})
    assert f"组 {group}" in order.text
    assert name in member.get(f"{SHOP}?wallet={choice.get('value')}").text
    assert name not in "".join(member.get(SHOP).texts("tbody tr"))


def test_sales_are_the_operators(operator: Visitor, member: Visitor) -> None:
    assert SALES not in member.get(SHOP).reply.text
    for path in (SALES, PACKAGES, f"{PACKAGES}/new", CODES, f"{CODES}/new"):
        assert operator.get(path).status == 200, path
    for path in (SALES, CODES):
        assert member.get(path).status == 403, path


def test_the_order_of_somebody_else_is_not_there(
    service: Server, operator: Visitor, member: Visitor, make_member: Any
) -> None:
    order = buy(member, offer(operator))
    other = Visitor(service.url)
    other.sign_in(make_member(unique()))
    assert other.get(order.path).status == 404
    assert operator.get(f"{SALES}?number={order.path.rsplit('/', 1)[1]}").path == order.path


def test_what_is_free_is_had_at_once_and_once(operator: Visitor, member: Visitor) -> None:
    name, before = offer(operator, price="0"), balance(member)
    assert "免费" in member.get(SHOP).text
    assert "收据" in buy(member, name).text
    assert balance(member) == before + 1_000_000
    again = buy(member, name)
    assert again.status == 400
    assert "现在不能买" in again.text
    assert balance(member) == before + 1_000_000


def test_a_shop_in_english(operator: Visitor, member: Visitor) -> None:
    name = offer(operator)
    member.headers["Accept-Language"] = "en-GB"
    assert "valid for ever" in member.get(SHOP).text
    assert "Waits for payment" in buy(member, name).text
