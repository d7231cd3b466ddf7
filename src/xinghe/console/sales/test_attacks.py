"""Forms that are forged, stale, sent twice, by two at once, or by somebody whose they are not."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

from xinghe.console.shop.test_page import (
    PACKAGES,
    SALES,
    SHOP,
    balance,
    buy,
    confirm,
    offer,
    unique,
)

HUGE = "9" * 19


def card(page: Shown, name: str) -> dict[str, str]:
    """The fields of the form that buys a package."""
    found = next(each for each in page.all("article.offer") if name in each.text_content())
    return {each.get("name"): each.get("value") for each in found.cssselect("input")}


def mark(visitor: Visitor) -> str:
    return str(visitor.get(SHOP).all("input[name=mark]")[0].get("value"))


FORMS = (
    "/console/sales/packages/new",
    "/console/sales/packages/1",
    "/console/sales/packages/1/withdraw",
    "/console/sales/codes/new",
    "/console/sales/codes/1/revoke",
    "/console/sales/orders/{order}/confirm",
    "/console/sales/orders/{order}/refund",
)
FIELDS = {
    "name": "n", "tokens": "5", "price": "0", "count": "1", "day": "2099-12-31",
    "reference": "r", "reason": "r",
}  # fmt: skip


@pytest.mark.parametrize("path", FORMS)
def test_a_member_posts_no_form_of_operators(operator: Visitor, member: Visitor, path: str) -> None:
    order = buy(member, offer(operator))
    path = path.format(order=order.path.rsplit("/", 1)[1])
    before = balance(member)
    done = member.post(path, FIELDS | {"mark": mark(member)})
    assert done.status == 403
    assert not done.all("main form")
    assert balance(member) == before
    assert "等待付款" in member.get(order.path).text


@pytest.mark.parametrize("path", [*FORMS, SHOP, f"{SHOP}/redeem", f"{SHOP}/transfer"])
@pytest.mark.parametrize("forged", ["", "x" * 43, "of somebody else"])
def test_a_forged_mark_is_refused(
    operator: Visitor, member: Visitor, path: str, forged: str
) -> None:
    given = mark(member) if forged == "of somebody else" else forged
    done = operator.post(path.format(order="0" * 16), FIELDS | {"mark": given})
    assert done.status == 403
    assert "不是从本站的页面发来的" in done.text


def test_a_package_that_was_changed_meanwhile_is_shown_again(
    operator: Visitor, member: Visitor
) -> None:
    name = offer(operator)
    fields = card(member.get(SHOP), name)
    path = f"{PACKAGES}/{fields['package']}"
    operator.submit(operator.get(path), path, price="99")
    stale = member.post(SHOP, fields)
    assert stale.status == 409
    assert "改过了" in stale.text
    assert name not in "".join(stale.texts("tbody tr"))
    assert "99.00 CNY" in member.post(SHOP, card(stale, name)).text


def test_a_package_that_was_withdrawn_meanwhile_is_not_ordered(
    operator: Visitor, member: Visitor
) -> None:
    name = offer(operator)
    fields = card(member.get(SHOP), name)
    page = operator.get(PACKAGES)
    operator.submit(page, f"{PACKAGES}/{fields['package']}/withdraw")
    refused = member.post(SHOP, fields)
    assert refused.status == 400
    assert "现在不能买" in refused.text


def test_two_operators_confirm_at_once(service: Server, operator: Visitor, member: Visitor) -> None:
    before = balance(member)
    order = buy(member, offer(operator))
    page = operator.get(order.path)
    action = f"{SALES}/orders/{order.path.rsplit('/', 1)[1]}/confirm"
    with ThreadPoolExecutor(8) as pool:
        done = list(
            pool.map(
                lambda n: operator.submit(page, action, reference=f"{order.path} {n % 2}"),
                range(8),
            )
        )
    assert sum(each.status == 200 for each in done) in range(1, 5)
    assert balance(member) == before + 1_000_000
    # Back, and pressed once more.
    again = operator.submit(page, action, reference="another")
    assert again.status == 400
    assert balance(member) == before + 1_000_000


def test_a_refund_pressed_twice_is_one_and_another_is_another(
    operator: Visitor, member: Visitor
) -> None:
    order = buy(member, offer(operator))
    before = balance(member)
    confirm(operator, order, secrets.token_hex(8))
    page = operator.get(order.path)
    action = f"{SALES}/orders/{order.path.rsplit('/', 1)[1]}/refund"
    fields = {"tokens": "1000", "reason": "r", "reference": "1"}
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: operator.submit(page, action, **fields), range(4)))
    assert {each.status for each in done} == {200}
    assert balance(member) == before + 999_000
    # Back, and something else typed into the same form.
    assert operator.submit(page, action, **fields | {"reference": "2"}).status == 200
    assert balance(member) == before + 998_000


def test_a_group_that_one_manages_no_more_is_not_paid_for(
    service: Server, operator: Visitor, make_member: Callable[[str], str]
) -> None:
    group, name, code = f"g{secrets.token_hex(4)}", unique(), f"{SALES}/codes/new"
    manager = Visitor(service.url)
    token = make_member(name)
    service.run("group", "create", group)
    service.run("group", "add", group, name, "--role", "manager")
    manager.sign_in(token)
    page = manager.get(SHOP)
    wallet = next(e.get("value") for e in page.all("#whose option") if group in e.text_content())
    made = operator.submit(
        operator.get(code), code, name=unique(), tokens="500", count="1", day="2099-12-31"
    )
    package = offer(operator)
    fields = card(manager.get(SHOP), package)
    service.run("group", "remove", group, name)
    before = balance(manager)
    for done in (
        manager.post(SHOP, fields | {"wallet": wallet}),
        manager.submit(
            page, f"{SHOP}/redeem", wallet=wallet, code=made.all("#codes")[0].text_content().strip()
        ),
        manager.submit(
            page, f"{SHOP}/transfer#transfer", wallet=wallet, group=group, tokens="5", reason="r"
        ),
    ):
        assert done.status == 404, done.text
        assert done.all("[role=alert]")
    assert balance(manager) == before
    assert not manager.get(SHOP).all("tbody tr")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", HUGE),
        ("price", "-1"),
        ("price", "NaN"),
        ("price", "9.90.1"),
        ("price", "1e3000"),
        ("tokens", HUGE),
        ("tokens", "-1"),
        ("tokens", "NaN"),
        ("tokens", "infinity"),
        ("tokens", "0.0000001"),
        ("valid_days", HUGE),
        ("valid_days", "1.5"),
        ("currency", "XXX"),
        ("groups", "１２３"),
        ("groups", HUGE),
        ("name", "n" * 65),
        ("name", "123"),
        ("name", "a\x00b"),
        ("description", "d" * 201),
    ],
)
def test_what_no_package_may_be(operator: Visitor, field: str, value: str) -> None:
    new = f"{PACKAGES}/new"
    given = {"name": unique(), "tokens": "5", "price": "1", "mark": mark(operator), field: value}
    refused = operator.post(new, given)
    assert refused.status == 400
    assert refused.all("[role=alert]")


def test_a_field_of_a_megabyte_and_a_session_that_has_ended(
    service: Server, operator: Visitor, member: Visitor
) -> None:
    large = {"name": "n" * 2**20, "mark": mark(operator)}
    assert operator.post(f"{PACKAGES}/new", large).status == 413
    given = mark(member)
    member.submit(member.get(SHOP), "/console/sign-out")
    late = member.post(f"{SHOP}/redeem", {"mark": given, "code": "XH-1"})
    assert late.path == "/"
