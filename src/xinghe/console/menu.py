"""What the menu of every page leads to."""

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """A page; `path` begins those of all that belongs to it."""

    path: str
    chinese: str
    english: str


MENU = (
    Entry("/console/", "总览", "Overview"),
    Entry("/console/start", "快速开始", "Quick start"),
    Entry("/console/tokens", "访问令牌", "Access tokens"),
    Entry("/console/usage", "使用明细", "Usage"),
    Entry("/console/bill", "账单", "Bill"),
    Entry("/console/shop", "购买", "Buy"),
    Entry("/console/models", "模型", "Models"),
    Entry("/docs", "接口文档", "API reference"),
)
