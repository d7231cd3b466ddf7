"""Questions that plainly need a search, and those that plainly do not."""

from __future__ import annotations

import re
from typing import Literal

Need = Literal["yes", "no", "unsure"]

_ASKED = re.compile(
    r"(搜索|搜一下|搜搜|查一下|查查|上网查|联网|检索)|\b(search|google|look up|browse)\b",
    re.IGNORECASE,
)
_NO_SEARCH = re.compile(
    r"(不要|不用|无需|别)(联网|搜索|上网|查)|\b(don't|do not|without) (search|brows)", re.IGNORECASE
)
_FRESH = re.compile(
    r"今[天日早晚年]|昨[天日晚]|明[天日]|本[周月季]|这[周月]|上[周月]|刚刚|目前|现在(?!开始)|现任|最新|最近|近期|近日|实时|当前"
    r"|新闻|资讯|热搜|头条|消息|天气|气温|股[价票市]|汇率|油价|金价|房价|价格|多少钱|票房|比分|赛程|赛果|夺冠|冠军|排名|榜单"
    r"|发布会|上映|上市|开售|政策|现状|进展|选举|总统|首相|(?<!\d)(19|20)\d\d年"
    r"|谁(赢|获|得)|奥运|世界杯|亚运|欧洲杯"
    r"|\b(today|yesterday|tomorrow|tonight|now|current(ly)?|latest|recent(ly)?|news|weather|stock"
    r"|price|score|schedule|election|president|this (week|month|year)|who (won|is the)"
    r"|(19|20)\d\d)\b",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"\s*(你好|您好|嗨|哈喽|早上好|晚上好|下午好|早安|晚安|谢谢|多谢|再见|拜拜|好的?|嗯+|ok|okay|hi|hello|hey|thanks?"
    r"|thank you|bye|good (morning|evening|night))([啊呀吗呢哦!!。.~,,\s]|你|您|朋友|there)*",
    re.IGNORECASE,
)
_SELF = re.compile(r"(你是谁|你叫什么|介绍一下你自己|你能做什么)|\bwho are you\b", re.IGNORECASE)
_ARITHMETIC = re.compile(
    r"[\s\d+\-*/×÷^().,,%=??]+(等于|是)?(几|多少)?[\s??。]*"
    r"|(计算|求|算一下|what is|calculate)[::]?[\s\d+\-*/×÷^().,%=??]+",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    r"^\s*(请|帮我|麻烦)?(把|将|给|对)?.{0,12}(翻译|润色|改写|改错|缩写|扩写|续写|总结|概括|归纳|校对)|翻译[成为]|译[成为]"
    r"|^\s*(please )?(translate|rewrite|summari[sz]e|proofread|paraphrase|polish)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"```|(写|编写|实现|生成|改)(一?[个段份篇]|一下)?.{0,16}(代码|函数|程序|脚本|正则|SQL|类|算法)"
    r"|\b(write|implement|fix|refactor)\b.{0,40}\b(code|function|program|script|class|regex|query)\b",
    re.IGNORECASE,
)
_CREATIVE = re.compile(
    r"(写|作|编)(一?[首篇个段封]|一下).{0,12}(诗|词|歌|故事|作文|文章|情书|笑话|对联|散文|小说)"
)


_NAMED = re.compile(
    r"[A-Za-z][A-Za-z0-9_.+-].{0,60}(谁|什么|怎么|怎样|如何|哪|多少|多久|几[个种时次]|为什么|吗|[??])"
    r"|怎么|怎样|如何|什么|为何|为什么|谁|哪[里个年儿些位国家]|何时|什么时候|多少|多[高大远深长重久]"
)
"""Asked about by name, or for a fact: small models too often think that they know.

Of a name its beginning is enough: taken whole, a long word would be looked through once for each
of its letters.
"""
_END = 500
"""Characters at either end of a question that tell what it is; the middle is what it is about."""


def need(question: str) -> Need:
    """Whether a question needs a search; `unsure` leaves it to a model."""
    if len(question) > 2 * _END:
        question = f"{question[:_END]}\n{question[-_END:]}"
    if _NO_SEARCH.search(question):
        return "no"
    if _ASKED.search(question):
        return "yes"
    plain = (_GREETING, _ARITHMETIC)
    if not question.strip() or any(pattern.fullmatch(question) for pattern in plain):
        return "no"
    if any(pattern.search(question) for pattern in (_GIVEN, _CODE, _CREATIVE, _SELF)):
        return "no"
    return "yes" if _FRESH.search(question) or _NAMED.search(question) else "unsure"
