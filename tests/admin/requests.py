"""One request to each operation, and to each thing that an operation can be about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.admin.desk import LATER, unique
from tests.admin.world import World

Request = tuple[str, str, Any]

REQUESTS: dict[str, Callable[[World], Request]] = {
    "members.list": lambda w: ("GET", "/members", None),
    "members.create": lambda w: ("POST", "/members", {"name": unique(), "group": w.group.id}),
    "members.get": lambda w: ("GET", f"/members/{w.pupil.id}", None),
    "members.change": lambda w: ("PATCH", f"/members/{w.pupil.id}", {"name": unique()}),
    "members.delete": lambda w: ("DELETE", f"/members/{w.pupil.id}", None),
    "paying_wallets.get": lambda w: ("GET", f"/members/{w.pupil.id}/payment", None),
    "paying_wallets.set": lambda w: (
        "PUT", f"/members/{w.pupil.id}/payment", {"order": [w.group.name]},
    ),
    "tokens.list": lambda w: ("GET", f"/members/{w.pupil.id}/tokens", None),
    "tokens.create": lambda w: ("POST", f"/members/{w.pupil.id}/tokens", {}),
    "tokens.get": lambda w: ("GET", f"/tokens/{w.pupil.public_id}", None),
    "tokens.change": lambda w: ("PATCH", f"/tokens/{w.pupil.public_id}", {"name": "new"}),
    "tokens.revoke": lambda w: ("DELETE", f"/tokens/{w.pupil.public_id}", None),
    "groups.list": lambda w: ("GET", "/groups", None),
    "groups.create": lambda w: ("POST", "/groups", {"name": unique(), "parent": w.school.id}),
    "groups.get": lambda w: ("GET", f"/groups/{w.group.id}", None),
    "groups.change": lambda w: ("PATCH", f"/groups/{w.group.id}", {"name": unique()}),
    "groups.delete": lambda w: ("DELETE", f"/groups/{w.group.id}", None),
    "memberships.list": lambda w: ("GET", f"/groups/{w.group.id}/members", None),
    "memberships.add": lambda w: (
        "POST", f"/groups/{w.group.id}/members", {"member": w.newcomer.id},
    ),
    "memberships.change": lambda w: (
        "PATCH", f"/groups/{w.group.id}/members/{w.pupil.id}", {"role": "manager"},
    ),
    "memberships.remove": lambda w: (
        "DELETE", f"/groups/{w.group.id}/members/{w.pupil.id}", None,
    ),
    "memberships.move": lambda w: (
        "POST", f"/groups/{w.group.id}/members/{w.pupil.id}/move", {"group": w.other.id},
    ),
    "people.list": lambda w: ("GET", f"/groups/{w.group.id}/people", None),
    "people.get": lambda w: ("GET", f"/groups/{w.group.id}/people/{w.pupil.id}", None),
    "people.spending": lambda w: ("GET", f"/groups/{w.group.id}/spending", None),
    "people.limit": lambda w: (
        "POST", f"/groups/{w.group.id}/budgets", {"members": [w.pupil.id], "amount": 5},
    ),
    "invitations.list": lambda w: ("GET", f"/groups/{w.group.id}/invitations", None),
    "invitations.create": lambda w: ("POST", f"/groups/{w.group.id}/invitations", {}),
    "invitations.revoke": lambda w: ("DELETE", f"/invitations/{w.invitation}", None),
    "wallets.list": lambda w: ("GET", "/wallets", None),
    "wallets.get": lambda w: ("GET", f"/wallets/{w.pupil.number}", None),
    "wallets.get group": lambda w: ("GET", f"/wallets/{w.group.wallet_id}", None),
    "wallets.grant": lambda w: (
        "POST", f"/wallets/{w.pupil.number}/grants", {"amount": 5, "reason": "prize"},
    ),
    "wallets.grant group": lambda w: (
        "POST", f"/wallets/{w.group.wallet_id}/grants", {"amount": 5, "reason": "prize"},
    ),
    "wallets.redeem": lambda w: (
        "POST", f"/wallets/{w.pupil.number}/redeem", {"code": w.code},
    ),
    "wallets.redeem group": lambda w: (
        "POST", f"/wallets/{w.group.wallet_id}/redeem", {"code": w.code},
    ),
    "wallets.transfer": lambda w: (
        "POST", f"/wallets/{w.pupil.number}/transfers",
        {"to": w.group.wallet_id, "amount": 1, "reason": "book"},
    ),
    "wallets.transfer group": lambda w: (
        "POST", f"/wallets/{w.group.wallet_id}/transfers",
        {"to": w.pupil.number, "amount": 1, "reason": "book"},
    ),
    "codes.list": lambda w: ("GET", "/codes", None),
    "codes.create": lambda w: (
        "POST", "/codes", {"name": "a", "amount": 1, "count": 1, "expires_at": LATER},
    ),
    "codes.get": lambda w: ("GET", f"/codes/{w.batch}", None),
    "codes.redemptions": lambda w: ("GET", f"/codes/{w.batch}/redemptions", None),
    "codes.revoke": lambda w: ("DELETE", f"/codes/{w.batch}", None),
    "packages.list": lambda w: ("GET", "/packages", None),
    "packages.create": lambda w: (
        "POST", "/packages", {"name": unique(), "tokens": 5, "price": 9.9},
    ),
    "packages.get": lambda w: ("GET", f"/packages/{w.package}", None),
    "packages.change": lambda w: ("PATCH", f"/packages/{w.package}", {"price": 5}),
    "packages.withdraw": lambda w: ("DELETE", f"/packages/{w.package}", None),
    "orders.place": lambda w: (
        "POST", f"/wallets/{w.pupil.number}/orders", {"package": w.package},
    ),
    "orders.place group": lambda w: (
        "POST", f"/wallets/{w.group.wallet_id}/orders", {"package": w.package},
    ),
    "orders.of_wallet": lambda w: ("GET", f"/wallets/{w.pupil.number}/orders", None),
    "orders.of_wallet group": lambda w: ("GET", f"/wallets/{w.group.wallet_id}/orders", None),
    "orders.list": lambda w: ("GET", "/orders", None),
    "payment_events.list": lambda w: ("GET", "/payment-events", None),
    "orders.get": lambda w: ("GET", f"/orders/{w.order}", None),
    "orders.get group": lambda w: ("GET", f"/orders/{w.group_order}", None),
    "orders.confirm": lambda w: ("POST", f"/orders/{w.order}/confirm", {"reference": unique()}),
    "orders.confirm group": lambda w: (
        "POST", f"/orders/{w.group_order}/confirm", {"reference": unique()},
    ),
    "orders.cancel": lambda w: ("POST", f"/orders/{w.order}/cancel", None),
    "orders.cancel group": lambda w: ("POST", f"/orders/{w.group_order}/cancel", None),
    "orders.refund": lambda w: (
        "POST", f"/orders/{w.paid}/refunds", {"reason": "unused", "reference": "back"},
    ),
    "budgets.list": lambda w: ("GET", f"/budgets?member={w.pupil.id}", None),
    "budgets.list group": lambda w: ("GET", f"/budgets?group={w.group.id}", None),
    "budgets.list all": lambda w: ("GET", "/budgets", None),
    "budgets.create": lambda w: (
        "POST", "/budgets", {"member": w.pupil.id, "unit": "rpm", "amount": 5},
    ),
    "budgets.create token": lambda w: (
        "POST", "/budgets", {"token": w.pupil.public_id, "unit": "rpm", "amount": 5},
    ),
    "budgets.create group": lambda w: (
        "POST", "/budgets", {"group": w.group.id, "unit": "rpm", "amount": 5},
    ),
    "budgets.create all": lambda w: ("POST", "/budgets", {"unit": "rpm", "amount": 10**9}),
    "budgets.get": lambda w: ("GET", f"/budgets/{w.budget}", None),
    "budgets.change": lambda w: ("PATCH", f"/budgets/{w.budget}", {"amount": 7}),
    "budgets.change token": lambda w: ("PATCH", f"/budgets/{w.token_budget}", {"amount": 7}),
    "budgets.change own": lambda w: ("PATCH", f"/budgets/{w.own_budget}", {"amount": 7}),
    "budgets.end": lambda w: ("DELETE", f"/budgets/{w.budget}", None),
    "budgets.end token": lambda w: ("DELETE", f"/budgets/{w.token_budget}", None),
    "budgets.end own": lambda w: ("DELETE", f"/budgets/{w.own_budget}", None),
    "config.get": lambda w: ("GET", "/config", None),
    "config.set": lambda w: ("PUT", "/config", {"tree": {}}),
    "config.change": lambda w: ("PATCH", "/config", {"patch": {}}),
    "config.versions": lambda w: ("GET", "/config/versions", None),
    "config.version": lambda w: ("GET", "/config/versions/1", None),
    "config.revert": lambda w: ("POST", "/config/revert", {"version": 1}),
    "safety.check": lambda w: ("POST", "/safety/check", {"text": "x"}),
    "live.get": lambda w: ("GET", "/live", None),
    "limits.get": lambda w: ("GET", "/limits", None),
    "doctor.get": lambda w: ("GET", "/doctor", None),
    "backups.list": lambda w: ("GET", "/backups", None),
    "backups.make": lambda w: ("POST", "/backups", None),
    "backups.check": lambda w: ("POST", "/backups/old.backup/check", None),
    "audit.list": lambda w: ("GET", "/audit", None),
}  # fmt: skip
