"""The built-in model names no vendor of its own making, asked about the platform."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.expect import answered
from tests.search.test_quality import PLATFORM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SYSTEM = (
    "你是 AI Studio 实训AI开发平台的开发者助理,你精通开发相关的知识,负责给开发者提供搜索帮助建议。"
)
"""Of the source's own samples (4.1 to 5.3)."""
SAMPLES = [
    (SYSTEM, "你好,请介绍一下AI Studio"),
    ("", "AI Studio是哪家公司的?"),
    ("", "Who made this platform?"),
]
IDENTITY = [("", "你是谁?谁开发了你?"), ("", "你是什么模型?"), ("", "Who are you?")]
STRANGERS = re.compile(
    r"腾讯|华为|字节|火山引擎|讯飞|京东|小米|商汤|智谱|月之暗面|网易|360|微软|谷歌|亚马逊|英伟达|苹果公司"
    r"|tencent|huawei|bytedance|microsoft|google|amazon|aws|azure|nvidia|moonshot|zhipu|sensetime",
    re.IGNORECASE,
)
"""They have nothing to do with the platform."""
OWNERS = re.compile(
    r"(阿里|通义|alibaba|openai|anthropic|meta)[^。.!\n]{0,8}"
    r"(提供|推出|开发|打造|旗下|自主研发|公司的|的(平台|产品|服务))"
    r"|(developed|provided|made|operated|owned|created) by (alibaba|openai|anthropic|meta)",
    re.IGNORECASE,
)
"""They may be named, as makers of the weights or of a form of API, and own nothing here."""
BAIDUS = re.compile(r"(由|是)百度[^,,。]{0,8}(训练|开发)|(trained|made|created) by Baidu")
"""The platform is Baidu's, the weights are not."""


def test_no_invented_vendor(make_server: MakeServer) -> None:
    server = make_server("default")
    api = Api(server.url, server.token())

    def said(asked: tuple[str, str]) -> str:
        system, question = asked
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": question})
        reply = api.chat(model="ernie-3.5-8k", messages=messages, temperature=0, max_tokens=64)
        return str(answered(reply)["choices"][0]["message"]["content"])

    asked = [*SAMPLES, *IDENTITY, *(("", question) for question, _ in PLATFORM)]
    with ThreadPoolExecutor(4) as threads:
        answers = dict(zip(asked, threads.map(said, asked), strict=True))
    invented = {
        question: answer
        for (_, question), answer in answers.items()
        if ((named := STRANGERS.search(answer)) and named[0].lower() not in question.lower())
        or OWNERS.search(answer)
    }
    assert not invented
    assert "百度" in answers[SAMPLES[0]]
    for asked_who in IDENTITY:
        assert "Qwen" in answers[asked_who]
        assert not BAIDUS.search(answers[asked_who]), answers[asked_who]
