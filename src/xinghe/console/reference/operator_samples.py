"""What the examples of the reference send to sign in, and to the operators' API, by operation."""

from __future__ import annotations

from xinghe.console.reference.sample import Sample

OF_OPERATORS: dict[str, tuple[Sample, ...]] = {
    "auth.password": (Sample(body={"name": "li-si", "password": "correct horse battery"}),),
    "auth.token": (Sample(body={"token": "xh-…"}),),
    "auth.link_in": (Sample(body={"code": "…"}),),
    "auth.join": (
        Sample(body={"name": "li-si", "password": "correct horse battery", "invitation": "xhi-…"}),
    ),
    "auth.change_password": (
        Sample(body={"current": "correct horse battery", "new": "another long password"}),
    ),
    "auth.accept": (Sample(body={"invitation": "xhi-…"}),),
    "auth.link": (Sample(body={}),),
    "auth.oidc": (Sample(body={"name": "li-si"}),),
    "auth.oidc_callback": (Sample(query={"code": "…", "state": "…"}),),
    "members.list": (Sample(query={"name": "li", "limit": "50"}),),
    "members.create": (Sample(body={"name": "li-si", "tokens": 1_000_000}),),
    "members.change": (Sample(body={"disabled": True}, places={"member": "li-si"}),),
    "backups.check": (Sample(places={"backup": "xinghe-20261130T020000Z.backup"}),),
    "wallets.list": (Sample(query={"order": "most", "limit": "50"}),),
    "paying_wallets.set": (Sample(body={"order": ["class-1", "own"]}, places={"member": "li-si"}),),
    "tokens.create": (
        Sample(
            body={"name": "homework", "models": ["ernie-3.5-8k"], "expires_at": "2027-07-01"},
            places={"member": "li-si"},
        ),
    ),
    "tokens.change": (Sample(body={"models": ["ernie-3.5-8k"]}, places={"token": "abcdefghij"}),),
    "groups.create": (Sample(body={"name": "class-1"}),),
    "groups.change": (Sample(body={"models": ["ernie-3.5-8k"]}, places={"group": "class-1"}),),
    "memberships.add": (
        Sample(body={"member": "li-si", "role": "member"}, places={"group": "class-1"}),
    ),
    "memberships.change": (
        Sample(body={"role": "manager"}, places={"group": "class-1", "member": "li-si"}),
    ),
    "memberships.move": (
        Sample(body={"group": 2}, places={"group": "class-1", "member": "li-si"}),
    ),
    "people.list": (
        Sample(query={"order": "month", "zone": "Asia/Shanghai"}, places={"group": "class-1"}),
    ),
    "people.spending": (
        Sample(
            query={"since": "2026-11-01", "until": "2026-11-30", "zone": "Asia/Shanghai"},
            places={"group": "class-1"},
        ),
    ),
    "people.limit": (
        Sample(
            body={
                "members": ["li-si", "wang-wu"],
                "amount": 50_000,
                "per": "month",
                "zone": "Asia/Shanghai",
            },
            places={"group": "class-1"},
        ),
    ),
    "invitations.create": (Sample(body={"uses": 30}, places={"group": "class-1"}),),
    "wallets.grant": (
        Sample(body={"amount": 1_000_000, "reason": "第一学期"}, places={"wallet": "1"}),
    ),
    "wallets.transfer": (
        Sample(
            body={"to_member": "wang-wu", "amount": 5_000, "reason": "小组作业"},
            places={"wallet": "1"},
        ),
    ),
    "wallets.redeem": (
        Sample(body={"code": "XH-7K3M9-2QWER-TY8PA-SDFGH-JKZXH"}, places={"wallet": "1"}),
    ),
    "codes.create": (
        Sample(
            body={
                "name": "开学礼包",
                "amount": 50_000,
                "count": 100,
                "expires_at": "2027-12-31",
                "valid_days": 90,
            }
        ),
    ),
    "packages.create": (
        Sample(
            body={"name": "入门套餐", "tokens": 1_000_000, "price": 9.9, "valid_days": 90},
        ),
    ),
    "packages.change": (Sample(body={"price": 8.8}, places={"package": "1"}),),
    "orders.place": (Sample(body={"package": 1}, places={"wallet": "1"}),),
    "orders.list": (Sample(query={"state": "open"}),),
    "orders.confirm": (
        Sample(body={"reference": "20261130-0001"}, places={"order": "0123456789ABCDEF"}),
    ),
    "orders.refund": (
        Sample(
            body={"tokens": 500_000, "reason": "课程取消", "reference": "20261201-0001"},
            places={"order": "0123456789ABCDEF"},
        ),
    ),
    "budgets.create": (
        Sample(body={"member": "li-si", "unit": "tokens", "amount": 50_000, "per": "day"}),
    ),
    "budgets.change": (Sample(body={"amount": 80_000}, places={"budget": "1"}),),
    "config.set": (
        Sample(body={"tree": {"models": {"ernie-3.5-8k": {"input_ratio": 0.5}}}, "note": "降价"}),
    ),
    "config.change": (
        Sample(body={"patch": {"models": {"ernie-3.5-8k": {"rpm": 600}}}, "validate_only": True}),
    ),
    "config.revert": (Sample(body={"version": 1, "note": "价格写错了"}),),
    "safety.check": (Sample(body={"text": "今天天气怎么样？"}),),
    "audit.list": (Sample(query={"limit": "50"}),),
}
