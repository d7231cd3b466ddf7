"""What the menu of every page leads to: one section for everybody, others by right."""

from collections.abc import Sequence

import msgspec

from xinghe.api.auth.schema import SessionShown


class Entry(msgspec.Struct, frozen=True):
    """A page; `path` begins those of all that belongs to it."""

    path: str
    chinese: str
    english: str
    managers: bool = False
    """Also for those who manage a group; of a section of operators."""


class Section(msgspec.Struct, frozen=True):
    """Pages under a heading."""

    chinese: str
    english: str
    entries: Sequence[Entry]


MENU = (
    Entry("/console/", "总览", "Overview"),
    Entry("/console/start", "快速开始", "Quick start"),
    Entry("/console/connect", "连接客户端", "Connect"),
    Entry("/console/playground", "体验", "Playground"),
    Entry("/console/tokens", "访问令牌", "Access tokens"),
    Entry("/console/usage", "使用明细", "Usage"),
    Entry("/console/bill", "账单", "Bill"),
    Entry("/console/shop", "购买", "Buy"),
    Entry("/console/models", "模型", "Models"),
    Entry("/docs", "接口文档", "API reference"),
)
"""Of everybody, signed in or not."""
ADMINISTRATION = (
    Entry("/console/group", "我的班组", "My groups", managers=True),
    Entry("/console/members", "成员", "Members"),
    Entry("/console/groups", "组", "Groups"),
    Entry("/console/wallets", "钱包", "Wallets"),
    Entry("/console/audit", "操作记录", "Audit log"),
    Entry("/console/live", "实时", "Live"),
    Entry("/console/health", "体检", "Health"),
    Entry("/console/backups", "备份", "Backups"),
    Entry("/console/config", "配置", "Configuration"),
    Entry("/console/limits", "限制", "Limits"),
    Entry("/console/safety", "内容审核", "Moderation"),
    Entry("/console/sales", "销售", "Sales"),
)
"""Of operators, but for those entries that managers have, too."""


def administration(session: SessionShown | None) -> Section | None:
    """What somebody administers; None: nothing."""
    if session is None or "admin" not in session.scopes:
        return None
    every, some = session.member.operator, session.manages
    shown = [each for each in ADMINISTRATION if every or (some and each.managers)]
    return Section("管理", "Administration", shown) if shown else None
