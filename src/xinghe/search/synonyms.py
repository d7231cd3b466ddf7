"""Other words for what people ask about: a page says a thing in one way, a question in another."""

from collections.abc import Iterator

GROUPS = (
    ("创建", "新建", "建立", "create"),
    ("充值", "充入", "加钱", "grant"),
    ("余额不足", "insufficient"),
    ("限流", "速率限制", "429"),
    ("企业账号", "单点登录", "OpenID 登录", "SSO"),
    ("敏感词", "内容审核", "名单"),
    ("免费", "赠送", "额度"),
    ("链接", "URL"),
    ("看图片", "接受图片"),
    ("探针", "readyz", "healthz"),
    ("丢了", "只显示一次", "shown once"),
    ("接入", "接到"),
    ("指标", "metrics"),
)
"""Words of one meaning, in any case of letters."""
MOST = 12
"""Ways in which one question is asked."""


def ways(query: str) -> list[str]:
    """The query, and the same in other words; with words of many groups, not in all of them."""
    found = [query]
    for group in GROUPS:
        for each in [*found]:
            for other in _reworded(each, group):
                if len(found) == MOST:
                    return found
                if other not in found:
                    found.append(other)
    return found


def _reworded(query: str, group: tuple[str, ...]) -> Iterator[str]:
    for word in group:
        at = query.lower().find(word.lower())
        if at >= 0:
            for other in group:
                yield f"{query[:at]} {other} {query[at + len(word) :]}"
            return
